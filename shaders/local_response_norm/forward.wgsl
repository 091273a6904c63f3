// local_response_norm_forward: scale[c] = k + alpha / size · Σ x[c']² for c' from c - size / 2 to c + (size - 1) / 2;  y = x · scale^-beta
//   x, y, scale: f32[N][C][pixels]; channels outside count as 0        alpha_n = alpha / size
// launch: x counts workgroups along a plane, y and z count planes (n, c)
// checked by test/ops/localResponseNorm.test.ts
#include "lib/plane.wgsl"

struct Params { planes: u32, channels: u32, pixels: u32, before: u32, behind: u32, alpha_n: f32, beta: f32, k: f32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#if KEEP
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;
#end
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = plane_index(group);
  let t = plane_element(group, thread);
  if (plane >= params.planes || t >= params.pixels) {
    return;
  }
  let channel = plane % params.channels;
  let first = plane - min(channel, params.before);
  let last = plane + min(params.channels - 1u - channel, params.behind);
  var sum = 0.0;
  for (var p = first; p <= last; p++) {
    let value = x[p * params.pixels + t];
    sum += value * value;
  }
  let here = params.k + params.alpha_n * sum;
  let at = plane * params.pixels + t;
  y[at] = x[at] * pow(here, -params.beta);
#if KEEP
  scale[at] = here;
#end
}
