// depthwise_backward_input: the input gradient of a depthwise convolution
//   dx[n, c, h, w] = Σ_m Σ_u Σ_v weight[o, u, v] · dy[n, o, i, j]   with o = c · multiplier + m,
//   over the taps with i · stride + u = h + padding and j · stride + v = w + padding
// Element r of a block of STRIDE_Y rows meets the taps u = r + STRIDE_Y · t, each in output row
// block − t; columns likewise. So every index is known when the kernel is compiled.
//   dy: f32[N][O][OH][OW]   weight: f32[O][KH][KW]   dx: f32[N][C][H][W]
// launch: one thread per tile of ROWS x COLS blocks; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/conv2d.test.ts
#include "depthwise/params.wgsl"
#let TAPS_Y = (KERNEL_Y + STRIDE_Y - 1) / STRIDE_Y
#let TAPS_X = (KERNEL_X + STRIDE_X - 1) / STRIDE_X

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let t = linear_index(group, thread);
  if (t >= params.n) {
    return;
  }
  let out_height = params.out_height;
  let out_width = params.out_width;
  let tile_row = divide(t, params.tiles_x);
  let block_j = (t - tile_row * params.tiles_x) * #{COLS}u + params.first_x;
  let plane = divide(tile_row, params.tiles_y);
  let block_i = (tile_row - plane * params.tiles_y) * #{ROWS}u + params.first_y;
  #repeat b in 0..ROWS
    #repeat r in 0..STRIDE_Y
      #repeat a in 0..COLS
        #repeat c in 0..STRIDE_X
          var sum#{b}_#{r}_#{a}_#{c} = 0.0;
        #end repeat c
      #end repeat a
    #end repeat r
  #end repeat b
  // Outputs before the first are below 0: they wrap around, past the last one.
  let top = block_i - #{TAPS_Y - 1}u;
  let left = block_j - #{TAPS_X - 1}u;
  #repeat h in 0..COLS + TAPS_X - 1
    let inside#{h} = left + #{h}u < out_width;
  #end repeat h
  for (var m = 0u; m < params.multiplier; m++) {
    // plane is image · channels + c, so this is image · out_channels + o.
    let from_plane = plane * params.multiplier + m;
    let o = from_plane % (params.channels * params.multiplier);
    let base = from_plane * out_height * out_width;
    #repeat u in 0..KERNEL_Y
      #repeat v in 0..KERNEL_X
        let w#{u}_#{v} = weight[o * #{KERNEL_Y * KERNEL_X}u + #{u * KERNEL_X + v}u];
      #end repeat v
    #end repeat u
    #repeat g in 0..ROWS + TAPS_Y - 1
      {
        let row = top + #{g}u;
        let at = base + row * out_width + left;
        #repeat h in 0..COLS + TAPS_X - 1
          let dy#{h} = select(0.0, dy[at + #{h}u], inside#{h} && row < out_height);
        #end repeat h
        #repeat b in 0..ROWS
          #if b + TAPS_Y - 1 >= g
            #if b <= g
              #let TAP = b + TAPS_Y - 1 - g
              #repeat r in 0..STRIDE_Y
                #if r + STRIDE_Y * TAP < KERNEL_Y
                  #repeat a in 0..COLS
                    #repeat q in 0..TAPS_X
                      #repeat c in 0..STRIDE_X
                        #if c + STRIDE_X * q < KERNEL_X
                          sum#{b}_#{r}_#{a}_#{c} +=
                            w#{r + STRIDE_Y * TAP}_#{c + STRIDE_X * q} * dy#{a + TAPS_X - 1 - q};
                        #end if
                      #end repeat c
                    #end repeat q
                  #end repeat a
                #end if
              #end repeat r
            #end if
          #end if
        #end repeat b
      }
    #end repeat g
  }
  let to = plane * params.height * params.width;
  let first_row = block_i * #{STRIDE_Y}u - #{PADDING_Y}u;
  let first_column = block_j * #{STRIDE_X}u - #{PADDING_X}u;
  #repeat b in 0..ROWS
    #repeat r in 0..STRIDE_Y
      {
        let row = first_row + #{b * STRIDE_Y + r}u;
        #repeat a in 0..COLS
          #repeat c in 0..STRIDE_X
            {
              let column = first_column + #{a * STRIDE_X + c}u;
              if (row < params.height && column < params.width) {
                dx[to + row * params.width + column] = sum#{b}_#{r}_#{a}_#{c};
              }
            }
          #end repeat c
        #end repeat a
      }
    #end repeat r
  #end repeat b
}
