// avg_pool2d_forward: the mean of every window
//   y[p, i, j] = Σ_u Σ_v x[p, i · stride + u − padding, j · stride + v − padding] / divisor(i, j)
// Elements outside x count as 0; avg_pool2d/params.wgsl says whether the divisor counts them.
//   x: f32[planes][H][W]   y: f32[planes][OH][OW]
// launch: one thread per element of y; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/special.test.ts
#include "lib/linear.wgsl"
#include "lib/divide.wgsl"
#include "avg_pool2d/params.wgsl"

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let t = linear_index(group, thread);
  if (t >= params.n) {
    return;
  }
  let row = divide(t, params.out_width);
  let j = t - row * params.out_width;
  let plane = divide(row, params.out_height);
  let i = row - plane * params.out_height;
  // Rows and columns of the padding before x are below 0: they wrap around to large numbers, which
  // are past the last row or column.
  let top = i * #{STRIDE_Y}u - #{PADDING_Y}u;
  let left = j * #{STRIDE_X}u - #{PADDING_X}u;
  let base = plane * params.height * params.width;
  var sum = 0.0;
  for (var u = 0u; u < #{KERNEL_Y}u; u++) {
    let row_of_x = top + u;
    if (row_of_x < params.height) {
      for (var v = 0u; v < #{KERNEL_X}u; v++) {
        if (left + v < params.width) {
          sum += x[base + row_of_x * params.width + left + v];
        }
      }
    }
  }
  y[t] = sum / divisor(i, j);
}
