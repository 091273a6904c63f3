// batch_norm_backward_channel: the gradient of what every channel has one number of, from sums[c] =
// (Σ dy, Σ dy · (x − mean[c])), with s = 1 / √(variance[c] + epsilon)
//   OF == 0: dbias = Σ dy
//   OF == 1: dweight = s · Σ dy · (x − mean)
//   OF == 2: dmean = −weight · s · Σ dy
//   OF == 3: dvariance = −weight · s³ / 2 · Σ dy · (x − mean)
//   OF == 4: 0, for statistics that were not read
//   variance, weight, gradient: f32[C]   sums: vec2f[C]
// launch: one thread per channel
// checked by test/ops/specifications.test.ts and test/ops/batchNorm.test.ts
#include "lib/linear.wgsl"

struct Params { n: u32, epsilon: f32 }

@group(0) @binding(0) var<storage, read> sums: array<vec2f>;
@group(0) @binding(1) var<storage, read> variance: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let c = linear_index(group, thread);
  if (c >= params.n) {
    return;
  }
  let inverse = 1.0 / sqrt(variance[c] + params.epsilon);
  #if OF == 0
    gradient[c] = sums[c].x;
  #end if
  #if OF == 1
    gradient[c] = inverse * sums[c].y;
  #end if
  #if OF == 2
    gradient[c] = -weight[c] * inverse * sums[c].x;
  #end if
  #if OF == 3
    gradient[c] = -0.5 * weight[c] * inverse * inverse * inverse * sums[c].y;
  #end if
  #if OF == 4
    gradient[c] = 0.0;
  #end if
}
