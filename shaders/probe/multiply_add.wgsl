// multiply_add: measures how many multiply-adds a device does: twelve independent chains in every
// thread, STEPS times each
//   s ← s · a + 0.5
//   y: f32[n], written only so that nothing is optimized away
// launch: one thread per element; workgroups are in x, past 65,535 also in y
// checked by test/gpu/kernels/probe.test.ts
#include "lib/linear.wgsl"

struct Params { n: u32 }

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let i = linear_index(group, thread);
  if (i >= params.n) {
    return;
  }
  let a = f32(i) * 1e-7 + 0.5;
  #repeat c in 0..12
    var s#{c} = a + #{c}.0;
  #end repeat c
  for (var step = 0u; step < #{STEPS / 4}u; step++) {
    #repeat unrolled in 0..4
      #repeat c in 0..12
        s#{c} = s#{c} * a + 0.5;
      #end repeat c
    #end repeat unrolled
  }
  var sum = 0.0;
  #repeat c in 0..12
    sum += s#{c};
  #end repeat c
  y[i] = sum;
}
