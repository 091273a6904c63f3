// scale: g ← factor[at] · g. If the factor is 1, nothing is read or written.
//   g: f32[n] as vec4f; the last vector may end in padding
//   factor: f32
// launch: each thread takes STRIP vectors; workgroups are in x, past 65,535 also in y
// checked by test/optim/clip.test.ts
#include "lib/strip.wgsl"

struct Params { n: u32, at: u32 }

@group(0) @binding(0) var<storage, read_write> g: array<vec4f>;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let by = factor[params.at];
  if (by == 1.0) {
    return;
  }
  let first = strip_first(group, thread);
  let end = strip_end(first);
  for (var i = first; i < end; i += WG) {
    g[i] *= by;
  }
}
