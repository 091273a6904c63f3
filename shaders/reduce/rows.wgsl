// rows: sums of segments of rows, the first stage of a bias gradient
//   y[i, s, o] = Σ_j x[i, o, j]   over the SEGMENT elements from j = s · SEGMENT on
//   x: f32[outer][width][inner] as vec4f; a row may start and end inside a vector
//   y: f32[outer][segments][width]
// launch: one thread per element of y; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/conv2d.test.ts
#include "lib/linear.wgsl"

struct Params { n: u32, width: u32, segments: u32, inner: u32 }

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// The elements of a vector from `first` up to, not including, `last`; 0 for the others.
fn inside(vector: u32, first: u32, last: u32) -> vec4f {
  let at = 4u * vector + vec4u(0u, 1u, 2u, 3u);
  return select(vec4f(), x[vector], (at >= vec4u(first)) & (at < vec4u(last)));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let n = linear_index(group, thread);
  if (n >= params.n) {
    return;
  }
  let segment = (n / params.width) % params.segments;
  let row = n / params.width / params.segments * params.width + n % params.width;
  let first = row * params.inner + segment * #{SEGMENT}u;
  let last = min(first + #{SEGMENT}u, (row + 1u) * params.inner);
  let end = (last - 1u) / 4u;
  var sum = inside(first / 4u, first, last);
  for (var vector = first / 4u + 1u; vector < end; vector++) {
    sum += x[vector];
  }
  if (end > first / 4u) {
    sum += inside(end, first, last);
  }
  y[n] = sum.x + sum.y + sum.z + sum.w;
}
