// dropout: y[i] = x[i] · scale where u[i] >= p, else 0, with scale = 1 / (1 − p). Backward is the
// same kernel with dy as x. u[i] = (word >> 8) · 2^−24 of word i mod 4 of philox(counter (i / 4, 0,
// 0, 0),
// key): it depends on i and the seed only, so the mask is not stored and the workgroup size does
// not matter.
//   x, y: f32[n] in vectors of four; the rest of the last vector is the buffer's padding
// launch: threads of STRIP vectors each; x, and y after 65,535, count workgroups
// checked by test/ops/dropout.test.ts
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
