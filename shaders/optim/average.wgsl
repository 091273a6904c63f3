// average: e ← e + rate · (p − e), an exponential moving average with decay 1 − rate. Where e = p,
// e does not change by a bit.
//   p, e: f32[n] in vectors of four; the rest of the last vector is the buffer's padding
// launch: threads of STRIP vectors each; x, and y after 65,535, count workgroups
// checked by test/optim/average.test.ts
#include "lib/strip.wgsl"

struct Params { n: u32, rate: f32 }

@group(0) @binding(0) var<storage, read> p: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> e: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first = strip_first(group, thread);
  let end = strip_end(first);
  let rate = params.rate;
  for (var i = first; i < end; i += WG) {
    e[i] += rate * (p[i] - e[i]);
  }
}
