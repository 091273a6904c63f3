// zero: state ← 0, before a parameter's first step
// state: f32[n] in vectors of four        launch: one thread per vector; the grid wraps into y past 65,535 groups
// checked by test/optim/optimizers.test.ts
#include "lib/linear.wgsl"

struct Params { n: u32 }

@group(0) @binding(0) var<storage, read_write> state: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let i = linear_index(group, thread);
  if (i < params.n) {
    state[i] = vec4f();
  }
}
