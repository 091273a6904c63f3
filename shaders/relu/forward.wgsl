// relu_forward: y = max(x, 0)
// x, y: f32[n]        launch: one thread per element; the grid wraps into y past 65,535 groups
// checked by test/ops/relu.test.ts
#include "lib/linear.wgsl"

struct Params { n: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let i = linear_index(group, thread);
  if (i < params.n) {
    // Not max(): NaN must stay NaN, as in PyTorch, so that a diverging network is seen.
    let v = x[i];
    y[i] = select(v, 0.0, v < 0.0);
  }
}
