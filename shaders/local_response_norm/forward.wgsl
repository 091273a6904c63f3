// local_response_norm_forward: local response normalization
//   y[c] = x[c] · scale[c]^−beta
//   with scale[c] = k + alpha_n · Σ_c' x[c']² and alpha_n = alpha / size
// The sum is over the channels c' from c − size / 2 to c + (size − 1) / 2; channels that do not
// exist count as 0. With KEEP, scale is stored for the backward pass.
//   x, y, scale: f32[N][C][pixels]
// launch: one thread for CHUNK channels of a pixel, so that a square is computed once for several
//   sums; x counts workgroups along a plane, y and z count planes (n, chunk)
// checked by test/ops/specifications.test.ts and test/ops/localResponseNorm.test.ts
#include "lib/plane.wgsl"
#include "local_response_norm/params.wgsl"

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#if KEEP
  @group(0) @binding(2) var<storage, read_write> scale: array<f32>;
#end if
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = plane_index(group);
  let t = plane_element(group, thread);
  if (plane >= params.planes || t >= params.pixels) {
    return;
  }
  let first = (plane % params.chunks) * #{CHUNK}u;
  let image = (plane / params.chunks) * params.channels;
  #repeat c in 0..CHUNK + BEFORE + BEHIND
    var x#{c} = 0.0;
    // A channel below 0 wraps around to a large number, which is past the last channel.
    if (first + #{c}u - #{BEFORE}u < params.channels) {
      x#{c} = x[(image + first + #{c}u - #{BEFORE}u) * params.pixels + t];
    }
    let square#{c} = x#{c} * x#{c};
  #end repeat c
  #repeat c in 0..CHUNK
    if (first + #{c}u < params.channels) {
      var sum = 0.0;
      #repeat s in 0..BEFORE + BEHIND + 1
        sum += square#{c + s};
      #end repeat s
      let here = params.k + params.alpha_n * sum;
      let at = (image + first + #{c}u) * params.pixels + t;
      y[at] = x#{c + BEFORE} * power(here);
      #if KEEP
        scale[at] = here;
      #end if
    }
  #end repeat c
}
