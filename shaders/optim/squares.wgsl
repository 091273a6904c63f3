// squares: sums[first + t] = Σ g[i]² over every stride-th vector i from t on, for each thread t <
// stride Partial sums of a gradient's squared norm: as many as there are threads, each summed in a
// fixed order, so that the norm repeats bit for bit.
// g: f32[n] in vectors of four; vectors = ⌈n / 4⌉, what lies past n does not count        sums: f32, from `first` on
// launch: stride threads, a multiple of the workgroup; the grid wraps into y past 65,535 groups
// checked by test/optim/clip.test.ts
#include "lib/linear.wgsl"

struct Params { n: u32, vectors: u32, stride: u32, first: u32 }

@group(0) @binding(0) var<storage, read> g: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let t = linear_index(group, thread);
  if (t >= params.stride) {
    return;
  }
  var total = vec4f();
  for (var i = t; i < params.vectors; i += params.stride) {
    let inside = 4u * i + vec4u(0u, 1u, 2u, 3u) < vec4u(params.n);
    let value = select(vec4f(), g[i], inside);
    total += value * value;
  }
  sums[params.first + t] = total.x + total.y + total.z + total.w;
}
