// max_pool2d_backward: dx[p, i] = Σ dy[p, o] over the windows o whose winner is i; gathered, so nothing is added twice or atomically
//   winner: u32[planes][OH][OW]   dy: f32[planes][OH][OW]   dx: f32[planes][H][W]
// launch: x counts workgroups along a plane of dx, y and z count planes
// checked by test/ops/maxPool2d.test.ts
#include "lib/plane.wgsl"
#include "lib/divide.wgsl"
#include "max_pool2d/params.wgsl"

@group(0) @binding(0) var<storage, read> winner: array<u32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = plane_index(group);
  let t = plane_element(group, thread);
  if (plane >= params.planes || t >= params.height * params.width) {
    return;
  }
  let row = divide(t, params.width);
  // The last window that begins at or before this element; the ones before it hold it too, as far as they reach. A window of negative
  // number wraps around, and is then past the last one.
  let last_i = (row + #{PADDING_Y}u) / #{STRIDE_Y}u;
  let last_j = (t - row * params.width + #{PADDING_X}u) / #{STRIDE_X}u;
  let base = plane * params.out_height * params.out_width;
  var sum = 0.0;
  for (var up = 0u; up < #{(KERNEL_Y + STRIDE_Y - 1) / STRIDE_Y}u; up++) {
    let i = last_i - up;
    for (var back = 0u; back < #{(KERNEL_X + STRIDE_X - 1) / STRIDE_X}u; back++) {
      let j = last_j - back;
      let exists = i < params.out_height && j < params.out_width;
      let o = base + select(0u, i * params.out_width + j, exists);
      sum += select(0.0, dy[o], exists && winner[o] == t); // a window that does not hold the element has another winner
    }
  }
  dx[plane * params.height * params.width + t] = sum;
}
