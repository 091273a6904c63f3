// finite_count: counts[slot] += the number of elements of x that are NaN or infinite
// The bits of the exponent are tested, since a compiler may assume that floats are finite. Usually
// all elements are finite, and nothing is added.
//   x: f32[n] as bits, ⌈n / 4⌉ vec4u   counts: u32[tensors], 0 at the start
// launch: at most 65,536 threads, each takes every stride-th vector
// checked by test/ops/finite.test.ts
#include "lib/linear.wgsl"

struct Params { n: u32, vectors: u32, stride: u32, slot: u32 }

@group(0) @binding(0) var<storage, read> x: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> counts: array<atomic<u32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  var found = vec4u();
  for (var i = linear_index(group, thread); i < params.vectors; i += params.stride) {
    let bad = (x[i] & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
    let inside = 4u * i + vec4u(0u, 1u, 2u, 3u) < vec4u(params.n);
    found += select(vec4u(), vec4u(1u), bad & inside);
  }
  let total = found.x + found.y + found.z + found.w;
  if (total > 0u) {
    atomicAdd(&counts[params.slot], total);
  }
}
