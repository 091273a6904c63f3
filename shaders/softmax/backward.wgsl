// softmax_backward: dx[r, c] = y[r, c] · (dy[r, c] − Σ_k dy[r, k] · y[r, k])
//   y, dy, dx: f32[rows][classes]
// launch: one thread per row; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/softmax.test.ts
#include "lib/linear.wgsl"

struct Params { rows: u32, classes: u32 }

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = linear_index(group, thread);
  if (row >= params.rows) {
    return;
  }
  let base = row * params.classes;
  var sum = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    sum += dy[base + c] * y[base + c];
  }
  for (var c = 0u; c < params.classes; c++) {
    dx[base + c] = y[base + c] * (dy[base + c] - sum);
  }
}
