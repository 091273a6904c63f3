// add: y = a + b; with RELU max(a + b, 0)
//   a, b, y: f32[n] as vec4f; the last vector may end in padding
// launch: each thread takes STRIP vectors; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/autograd/backward.test.ts
#include "lib/strip.wgsl"

struct Params { n: u32 }

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first = strip_first(group, thread);
  let end = strip_end(first);
  for (var i = first; i < end; i += WG) {
    #if RELU
      // NaN stays NaN, as in relu/forward.wgsl.
      let sum = a[i] + b[i];
      y[i] = select(sum, vec4f(), sum < vec4f());
    #else
      y[i] = a[i] + b[i];
    #end if
  }
}
