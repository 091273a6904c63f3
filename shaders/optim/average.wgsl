// average: an exponential moving average of a parameter, with decay 1 − rate
//   e ← e + rate · (p − e)
// If e = p, e stays the same to the bit.
//   p, e: f32[n] as vec4f; the last vector may end in padding
// launch: each thread takes STRIP vectors; workgroups are in x, past 65,535 also in y
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
