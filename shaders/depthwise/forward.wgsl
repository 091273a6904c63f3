// depthwise_forward: a convolution in which every output channel reads one channel
//   y[n, o, i, j] = bias[o] + Σ_u Σ_v weight[o, u, v] · x[n, o / multiplier, row, column]
//   with row = i · stride + u − padding and column = j · stride + v − padding
// x is 0 outside the image. RELU: max(y, 0) is stored.
//   x: f32[N][C][H][W]   weight: f32[O][KH][KW]   bias: f32[O]   y: f32[N][O][OH][OW]
// launch: one thread per tile of ROWS x COLS outputs, along the width first: each number of x that
//   it loads serves up to KH · KW of them; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/conv2d.test.ts
#include "depthwise/params.wgsl"

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#if BIAS
  @group(0) @binding(3) var<storage, read> bias: array<f32>;
#end if
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let t = linear_index(group, thread);
  if (t >= params.n) {
    return;
  }
  let height = params.height;
  let width = params.width;
  let out_channels = params.channels * params.multiplier;
  let tile_row = divide(t, params.tiles_x);
  let first_j = (t - tile_row * params.tiles_x) * #{COLS}u;
  let plane = divide(tile_row, params.tiles_y);
  let first_i = (tile_row - plane * params.tiles_y) * #{ROWS}u;
  let image = plane / out_channels;
  let o = plane - image * out_channels;
  let base = (image * params.channels + o / params.multiplier) * height * width;
  #repeat u in 0..KERNEL_Y
    #repeat v in 0..KERNEL_X
      let w#{u}_#{v} = weight[o * #{KERNEL_Y * KERNEL_X}u + #{u * KERNEL_X + v}u];
    #end repeat v
  #end repeat u
  #if BIAS
    let start = bias[o];
  #else
    let start = 0.0;
  #end if
  #repeat r in 0..ROWS
    #repeat c in 0..COLS
      var sum#{r}_#{c} = start;
    #end repeat c
  #end repeat r
  // Rows and columns before the image are below 0: they wrap around to large numbers, which are
  // past the last row or column.
  let top = first_i * #{STRIDE_Y}u - #{PADDING_Y}u;
  let left = first_j * #{STRIDE_X}u - #{PADDING_X}u;
  #repeat h in 0..(COLS - 1) * STRIDE_X + KERNEL_X
    let inside#{h} = left + #{h}u < width;
  #end repeat h
  #repeat g in 0..(ROWS - 1) * STRIDE_Y + KERNEL_Y
    {
      let row = top + #{g}u;
      let at = base + row * width + left;
      #repeat h in 0..(COLS - 1) * STRIDE_X + KERNEL_X
        let x#{h} = select(0.0, x[at + #{h}u], inside#{h} && row < height);
      #end repeat h
      #repeat r in 0..ROWS
        #if g >= r * STRIDE_Y
          #if g < r * STRIDE_Y + KERNEL_Y
            #repeat c in 0..COLS
              #repeat v in 0..KERNEL_X
                sum#{r}_#{c} += w#{g - r * STRIDE_Y}_#{v} * x#{c * STRIDE_X + v};
              #end repeat v
            #end repeat c
          #end if
        #end if
      #end repeat r
    }
  #end repeat g
  let to = plane * params.out_height * params.out_width;
  #repeat r in 0..ROWS
    #repeat c in 0..COLS
      if (first_i + #{r}u < params.out_height && first_j + #{c}u < params.out_width) {
        #if RELU
          // NaN stays, as in relu/forward.wgsl.
          let value = select(sum#{r}_#{c}, 0.0, sum#{r}_#{c} < 0.0);
        #else
          let value = sum#{r}_#{c};
        #end if
        y[to + (first_i + #{r}u) * params.out_width + first_j + #{c}u] = value;
      }
    #end repeat c
  #end repeat r
}
