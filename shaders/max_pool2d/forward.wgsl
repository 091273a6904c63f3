// max_pool2d_forward: y[p, i, j] = max over u, v of x[p, i·stride + u - padding, j·stride + v - padding]; outside x counts as -infinity
// winner[p, i, j]: where in its plane the maximum lies; the first in row order wins ties, and NaN wins over numbers, as in PyTorch
//   x: f32[planes][H][W]   y: f32[planes][OH][OW]   winner: u32[planes][OH][OW]
// launch: x counts workgroups along a plane of y, y and z count planes
// checked by test/ops/maxPool2d.test.ts
#include "lib/plane.wgsl"
#include "max_pool2d/params.wgsl"

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#if WINNER
@group(0) @binding(2) var<storage, read_write> winner: array<u32>;
#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = plane_index(group);
  let t = plane_element(group, thread);
  let outputs = params.out_height * params.out_width;
  if (plane >= params.planes || t >= outputs) {
    return;
  }
  let i = t / params.out_width;
  let top = i * params.stride_y; // counted from the padding's edge
  let left = (t - i * params.out_width) * params.stride_x;
  let base = plane * params.height * params.width;
  var best = 0.0;
  var at = 0u;
  var empty = true;
  for (var u = 0u; u < params.kernel_y; u++) {
    let row = top + u - params.padding_y; // wraps around below 0, and is then past the last row
    for (var v = 0u; v < params.kernel_x; v++) {
      let column = left + v - params.padding_x;
      if (row < params.height && column < params.width) {
        let value = x[base + row * params.width + column];
        // By the bits: a compiler may assume that value == value.
        let nan = (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
        if (empty || value > best || nan) {
          best = value;
          at = row * params.width + column;
          empty = false;
        }
      }
    }
  }
  y[plane * outputs + t] = best;
#if WINNER
  winner[plane * outputs + t] = at;
#end
}
