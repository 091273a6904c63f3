// adaptive_avg_pool2d_backward: the gradient of a mean goes to every element of its window
//   dx[p, r, c] = Σ_i Σ_j dy[p, i, j] / size(i, j)
// over the windows (i, j) that contain (r, c). Windows may overlap.
//   dy: f32[planes][OH][OW]   dx: f32[planes][H][W]
// launch: x counts workgroups along a plane of dx, y and z count planes
// checked by test/ops/specifications.test.ts and test/ops/adaptiveAvgPool2d.test.ts
#include "lib/plane.wgsl"
#include "adaptive_avg_pool2d/params.wgsl"

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = plane_index(group);
  let t = plane_element(group, thread);
  if (plane >= params.planes || t >= params.height * params.width) {
    return;
  }
  let row = t / params.width;
  let column = t - row * params.width;
  // Window i contains row r if and only if
  //   floor(r · outputs / extent) <= i < ceil((r + 1) · outputs / extent),
  // which are the bounds of a window with `extent` and `outputs` exchanged.
  let last_i = window_end(row, params.out_height, params.height);
  let first_j = window_first(column, params.out_width, params.width);
  let last_j = window_end(column, params.out_width, params.width);
  let base = plane * params.out_height * params.out_width;
  var sum = 0.0;
  for (var i = window_first(row, params.out_height, params.height); i < last_i; i++) {
    let high = window_end(i, params.height, params.out_height)
      - window_first(i, params.height, params.out_height);
    for (var j = first_j; j < last_j; j++) {
      let wide = window_end(j, params.width, params.out_width)
        - window_first(j, params.width, params.out_width);
      sum += dy[base + i * params.out_width + j] / f32(high * wide);
    }
  }
  dx[plane * params.height * params.width + t] = sum;
}
