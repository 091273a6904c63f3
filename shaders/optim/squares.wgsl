// squares: partial sums of a gradient's squared norm, one per thread
//   sums[first + t] = Σ_i g[i]²   over the vectors i = t, t + stride, t + 2 · stride, …
// Each is added up in a fixed order, so the norm is the same to the bit every time.
//   g: f32[n], ⌈n / 4⌉ vec4f; elements past n are left out   sums: f32, written from `first` on
// launch: `stride` threads, a multiple of the workgroup; workgroups are in x, past 65,535 also in y
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
