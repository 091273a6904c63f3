// dropout: sets elements to 0 with probability p, and scales the others
//   y[i] = x[i] · scale if u[i] >= p, else 0   with scale = 1 / (1 − p)
//   u[i] = (word >> 8) · 2^−24   of word i mod 4 of philox(counter (i / 4, 0, 0, 0), key)
// u depends on i and the seed only: the mask is not stored, and the workgroup size does not matter.
// The backward pass is the same kernel with dy in the place of x.
//   x, y: f32[n] as vec4f; the last vector may end in padding
// launch: each thread takes STRIP vectors; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/dropout.test.ts
#include "lib/strip.wgsl"
#include "lib/philox.wgsl"

struct Params { n: u32, key_low: u32, key_high: u32, p: f32, scale: f32 }

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first = strip_first(group, thread);
  let end = strip_end(first);
  let held = params; // read once, not in every turn
  for (var i = first; i < end; i += WG) {
    let words = philox4x32(vec4u(i, 0u, 0u, 0u), vec2u(held.key_low, held.key_high));
    let kept = vec4f(words >> vec4u(8u)) * 0x1p-24f >= vec4f(held.p);
    y[i] = select(vec4f(), x[i] * held.scale, kept);
  }
}
