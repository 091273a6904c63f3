// main of an operator on single elements: y = value(x); BACKWARD: dx = gradient(kept, dy), where
// kept is x or y. The including file declares both functions, and Params with n.
//   x, y, kept, dy, dx: f32[n] as vec4f; the last vector may end in padding
// launch: each thread takes STRIP vectors; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts
#include "lib/strip.wgsl"

#if BACKWARD
  @group(0) @binding(0) var<storage, read> kept: array<vec4f>;
  @group(0) @binding(1) var<storage, read> dy: array<vec4f>;
  @group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
#else
  @group(0) @binding(0) var<storage, read> x: array<vec4f>;
  @group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
#end if
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first = strip_first(group, thread);
  let end = strip_end(first);
  for (var i = first; i < end; i += WG) {
    #if BACKWARD
      dx[i] = gradient(kept[i], dy[i]);
    #else
      y[i] = value(x[i]);
    #end if
  }
}
