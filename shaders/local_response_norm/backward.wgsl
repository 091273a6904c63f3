// local_response_norm_backward: dx[c] = dy[c] · scale[c]^-beta - 2 · alpha_n · beta · x[c] · Σ dy[c'] · x[c'] · scale[c']^(-beta - 1),
// over the channels c' whose window holds c: from c - (size - 1) / 2 to c + size / 2
//   x, scale, dy, dx: f32[N][C][pixels]        alpha_n = alpha / size
// launch: x counts workgroups along a plane, y and z count planes (n, c)
// checked by test/ops/localResponseNorm.test.ts
#include "lib/plane.wgsl"

struct Params { planes: u32, channels: u32, pixels: u32, before: u32, behind: u32, alpha_n: f32, beta: f32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = plane_index(group);
  let t = plane_element(group, thread);
  if (plane >= params.planes || t >= params.pixels) {
    return;
  }
  let channel = plane % params.channels;
  let first = plane - min(channel, params.behind);
  let last = plane + min(params.channels - 1u - channel, params.before);
  var sum = 0.0;
  for (var p = first; p <= last; p++) {
    let at = p * params.pixels + t;
    sum += dy[at] * x[at] * pow(scale[at], -params.beta - 1.0);
  }
  let here = plane * params.pixels + t;
  dx[here] = dy[here] * pow(scale[here], -params.beta) - 2.0 * params.alpha_n * params.beta * x[here] * sum;
}
