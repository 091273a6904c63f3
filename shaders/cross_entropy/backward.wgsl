// cross_entropy_backward: multiplies the gradient that the forward pass has left in dlogits by dy
//   dlogits[r, c] ← dy_r · dlogits[r, c]
// dy_r is dy[0] for a mean or a sum, and dy[r] without reduction (per_row = 1). If the loss is the
// root of the graph, dy is 1, and nothing is launched.
//   dlogits: f32[rows][classes], n = rows · classes   dy: f32[1] or f32[rows]
// launch: one thread per element; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/crossEntropy.test.ts
#include "lib/linear.wgsl"

struct Params { n: u32, classes: u32, per_row: u32 }

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dlogits: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let i = linear_index(group, thread);
  if (i < params.n) {
    dlogits[i] *= dy[i / params.classes * params.per_row];
  }
}
