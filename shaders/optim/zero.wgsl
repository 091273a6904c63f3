// zero: state ← 0, before a parameter's first step
//   state: f32[n] in vectors of four
// launch: each thread takes STRIP vectors; workgroups are in x, past 65,535 also in y
// checked by test/optim/optimizers.test.ts
#include "lib/strip.wgsl"

struct Params { n: u32 }

@group(0) @binding(0) var<storage, read_write> state: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first = strip_first(group, thread);
  let end = strip_end(first);
  for (var i = first; i < end; i += WG) {
    state[i] = vec4f();
  }
}
