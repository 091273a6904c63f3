// health: health[0] ← 1 if an element of loss is NaN or infinite; otherwise it stays as it is
// The bits of the exponent are tested, since a compiler may assume that floats are finite.
//   loss: f32[n], read as bits   health: f32[1], written as bits
// launch: one thread per element; workgroups are in x, past 65,535 also in y
// checked by test/optim/health.test.ts
#include "lib/linear.wgsl"

struct Params { n: u32 }

@group(0) @binding(0) var<storage, read> loss: array<u32>;
@group(0) @binding(1) var<storage, read_write> health: array<atomic<u32>>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let i = linear_index(group, thread);
  if (i < params.n && (loss[i] & 0x7f800000u) == 0x7f800000u) {
    atomicStore(&health[0], bitcast<u32>(1.0));
  }
}
