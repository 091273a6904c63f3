// sum: y[i, o] = scale · Σ_j x[i · stride_i + o · stride_o + j · stride_j] for j < count
//   x: f32, addressed by strides   y: f32[outer][width]
// launch: one thread per element of y; workgroups are in x, past 65,535 also in y
// checked by test/ops/contract.test.ts
#include "lib/linear.wgsl"

struct Params {
  n: u32, width: u32, count: u32, stride_i: u32, stride_o: u32, stride_j: u32, scale: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let n = linear_index(group, thread);
  if (n >= params.n) {
    return;
  }
  let base = (n / params.width) * params.stride_i + (n % params.width) * params.stride_o;
  var sum = 0.0;
  for (var j = 0u; j < params.count; j++) {
    sum += x[base + j * params.stride_j];
  }
  y[n] = sum * params.scale;
}
