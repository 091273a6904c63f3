// softmax_forward: y[r, c] = exp(x[r, c] − max_r) / Σ_k exp(x[r, k] − max_r)
// with max_r = max over k of x[r, k], so that no exponential overflows
//   x, y: f32[rows][classes]
// launch: one thread per row; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/softmax.test.ts
#include "lib/linear.wgsl"

struct Params { rows: u32, classes: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = linear_index(group, thread);
  if (row >= params.rows) {
    return;
  }
  let base = row * params.classes;
  var highest = x[base];
  for (var c = 1u; c < params.classes; c++) {
    highest = max(highest, x[base + c]);
  }
  var sum = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    sum += exp(x[base + c] - highest);
  }
  for (var c = 0u; c < params.classes; c++) {
    y[base + c] = exp(x[base + c] - highest) / sum;
  }
}
