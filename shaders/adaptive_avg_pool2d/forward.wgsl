// adaptive_avg_pool2d_forward: the mean of every window
//   y[p, i, j] = mean of x[p] over the rows of window i and the columns of window j
// adaptive_avg_pool2d/params.wgsl gives the bounds of the windows.
//   x: f32[planes][H][W]   y: f32[planes][OH][OW]
// launch: x counts workgroups along a plane of y, y and z count planes
// checked by test/ops/specifications.test.ts and test/ops/adaptiveAvgPool2d.test.ts
#include "lib/plane.wgsl"
#include "adaptive_avg_pool2d/params.wgsl"

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
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
  let j = t - i * params.out_width;
  let top = window_first(i, params.height, params.out_height);
  let bottom = window_end(i, params.height, params.out_height);
  let left = window_first(j, params.width, params.out_width);
  let right = window_end(j, params.width, params.out_width);
  let base = plane * params.height * params.width;
  var sum = 0.0;
  for (var row = top; row < bottom; row++) {
    for (var column = left; column < right; column++) {
      sum += x[base + row * params.width + column];
    }
  }
  y[plane * outputs + t] = sum / f32((bottom - top) * (right - left));
}
