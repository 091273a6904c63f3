// depthwise_backward_weight: the weight gradient of a depthwise convolution, in parts
//   parts[n · chunks + k, o, u, v] = Σ_i Σ_j dy[n, o, i, j] · x[n, o / multiplier, row, column]
//   with row = i · stride + u − padding and column = j · stride + v − padding
// over the tiles k, k + chunks, … of output channel o of image n; reduce/sum adds the parts.
//   x: f32[N][C][H][W]   dy: f32[N][O][OH][OW]   parts: f32[N · chunks][O][KH][KW]
// launch: one thread per image, output channel and k; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/conv2d.test.ts
#include "depthwise/params.wgsl"

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let t = linear_index(group, thread);
  if (t >= params.n) {
    return;
  }
  let height = params.height;
  let width = params.width;
  let out_height = params.out_height;
  let out_width = params.out_width;
  let tiles_x = params.tiles_x;
  let tiles = params.tiles_y * tiles_x;
  let out_channels = params.channels * params.multiplier;
  let plane = divide(t, params.chunks);
  let image = plane / out_channels;
  let o = plane - image * out_channels;
  let base = (image * params.channels + o / params.multiplier) * height * width;
  let dy_base = plane * out_height * out_width;
  #repeat u in 0..KERNEL_Y
    #repeat v in 0..KERNEL_X
      var sum#{u}_#{v} = 0.0;
    #end repeat v
  #end repeat u
  let k = t - plane * params.chunks;
  for (var tile = k; tile < tiles; tile += params.chunks) {
    let tile_row = divide(tile, tiles_x);
    let first_i = tile_row * #{ROWS}u;
    let first_j = (tile - tile_row * tiles_x) * #{COLS}u;
    // Rows and columns before the image wrap around, past the last row or column.
    let top = first_i * #{STRIDE_Y}u - #{PADDING_Y}u;
    let left = first_j * #{STRIDE_X}u - #{PADDING_X}u;
    #repeat g in 0..(ROWS - 1) * STRIDE_Y + KERNEL_Y
      let at#{g} = base + (top + #{g}u) * width + left;
      let row#{g} = top + #{g}u < height;
    #end repeat g
    #repeat h in 0..(COLS - 1) * STRIDE_X + KERNEL_X
      let inside#{h} = left + #{h}u < width;
    #end repeat h
    #repeat r in 0..ROWS
      if (first_i + #{r}u < out_height) {
        let dy_at = dy_base + (first_i + #{r}u) * out_width + first_j;
        #repeat u in 0..KERNEL_Y
          #repeat h in 0..(COLS - 1) * STRIDE_X + KERNEL_X
            let x#{u}_#{h} = select(
              0.0,
              x[at#{r * STRIDE_Y + u} + #{h}u],
              inside#{h} && row#{r * STRIDE_Y + u},
            );
          #end repeat h
        #end repeat u
        #repeat c in 0..COLS
          if (first_j + #{c}u < out_width) {
            let gradient = dy[dy_at + #{c}u];
            #repeat u in 0..KERNEL_Y
              #repeat v in 0..KERNEL_X
                sum#{u}_#{v} += gradient * x#{u}_#{c * STRIDE_X + v};
              #end repeat v
            #end repeat u
          }
        #end repeat c
      }
    #end repeat r
  }
  let to = ((image * params.chunks + k) * out_channels + o) * #{KERNEL_Y * KERNEL_X}u;
  #repeat u in 0..KERNEL_Y
    #repeat v in 0..KERNEL_X
      parts[to + #{u * KERNEL_X + v}u] = sum#{u}_#{v};
    #end repeat v
  #end repeat u
}
