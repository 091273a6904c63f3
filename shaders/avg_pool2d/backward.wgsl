// avg_pool2d_backward: the gradient of a mean goes to every element of its window
//   dx[p, r, c] = Σ dy[p, i, j] / divisor(i, j)   over the windows (i, j) that contain (r, c)
// Each element of dx looks at the windows it is in, so no atomic addition is needed.
//   dy: f32[planes][OH][OW]   dx: f32[planes][H][W]
// launch: one thread per block of STRIDE_Y x STRIDE_X elements of dx, since these are in nearly the
//   same windows; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/special.test.ts
#include "lib/linear.wgsl"
#include "lib/divide.wgsl"
#include "avg_pool2d/params.wgsl"

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let t = linear_index(group, thread);
  if (t >= params.n) {
    return;
  }
  let row = divide(t, params.blocks_x);
  let block_j = t - row * params.blocks_x;
  let plane = divide(row, params.blocks_y);
  let block_i = row - plane * params.blocks_y;
  // Blocks begin in the padding, as windows do, and wrap around below 0 likewise.
  let top = block_i * #{STRIDE_Y}u - #{PADDING_Y}u;
  let left = block_j * #{STRIDE_X}u - #{PADDING_X}u;
  #repeat r in 0..STRIDE_Y
    #repeat c in 0..STRIDE_X
      var sum#{r}_#{c} = 0.0;
    #end repeat c
  #end repeat r
  // The window that begins with this block is the last one that contains any of it. An index below
  // 0 wraps around, and is past the last window.
  let base = plane * params.out_height * params.out_width;
  for (var up = 0u; up < #{(KERNEL_Y + STRIDE_Y - 1) / STRIDE_Y}u; up++) {
    for (var back = 0u; back < #{(KERNEL_X + STRIDE_X - 1) / STRIDE_X}u; back++) {
      let i = block_i - up;
      let j = block_j - back;
      if (i < params.out_height && j < params.out_width) {
        let share = dy[base + i * params.out_width + j] / divisor(i, j);
        #repeat r in 0..STRIDE_Y
          let below#{r} = up * #{STRIDE_Y}u + #{r}u < #{KERNEL_Y}u;
          #repeat c in 0..STRIDE_X
            let behind#{r}_#{c} = back * #{STRIDE_X}u + #{c}u < #{KERNEL_X}u;
            sum#{r}_#{c} += select(0.0, share, below#{r} && behind#{r}_#{c});
          #end repeat c
        #end repeat r
      }
    }
  }
  let to = plane * params.height * params.width;
  #repeat r in 0..STRIDE_Y
    #repeat c in 0..STRIDE_X
      if (top + #{r}u < params.height && left + #{c}u < params.width) {
        dx[to + (top + #{r}u) * params.width + left + #{c}u] = sum#{r}_#{c};
      }
    #end repeat c
  #end repeat r
}
