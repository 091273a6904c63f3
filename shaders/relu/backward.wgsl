// relu_backward: dx = dy if y > 0, else 0; so it is 0 at x = 0, as in PyTorch
//   y, dy, dx: f32[n] as vec4f; the last vector may end in padding
// launch: each thread takes STRIP vectors; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/relu.test.ts
#include "lib/strip.wgsl"

struct Params { n: u32 }

@group(0) @binding(0) var<storage, read> y: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first = strip_first(group, thread);
  let end = strip_end(first);
  for (var i = first; i < end; i += WG) {
    dx[i] = select(vec4f(), dy[i], y[i] > vec4f());
  }
}
