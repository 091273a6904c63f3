// The params of the three depthwise kernels, filled in by src/ops/depthwise.ts. Each channel c of x
// has `multiplier` filters: output channel o reads channel o / multiplier. The filter is compiled
// in: KERNEL_Y, KERNEL_X, STRIDE_Y, STRIDE_X, PADDING_Y, PADDING_X. A plane of what the threads
// compute is cut into tiles_y x tiles_x tiles of ROWS x COLS.
#include "lib/linear.wgsl"
#include "lib/divide.wgsl"

struct Params {
  n: u32, channels: u32, multiplier: u32,
  height: u32, width: u32, out_height: u32, out_width: u32,
  tiles_y: u32, tiles_x: u32, first_y: u32, first_x: u32, chunks: u32,
}
