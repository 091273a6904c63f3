// mix: mixup (Zhang et al. 2018, arXiv:1710.09412): each row keeps a share of itself, and the rest
// comes from a partner row
//   y[r, i] = x[partners[r], i] + shares[r] · (x[r, i] − x[partners[r], i])
//   x, y: f32[rows][width]   partners: i32[rows]   shares: f32[rows]
// launch: one thread per element; workgroups are in x, past 65,535 also in y
// checked by test/ops/mix.test.ts
#include "lib/linear.wgsl"

struct Params { n: u32, width: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> partners: array<i32>;
@group(0) @binding(2) var<storage, read> shares: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let n = linear_index(group, thread);
  if (n >= params.n) {
    return;
  }
  let row = n / params.width;
  let other = x[u32(partners[row]) * params.width + n % params.width];
  y[n] = other + shares[row] * (x[n] - other);
}
