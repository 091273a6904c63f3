// local_response_norm_backward: the gradient of local response normalization
//   dx[c] = dy[c] · scale[c]^−beta
//     − 2 · alpha_n · beta · x[c] · Σ_c' dy[c'] · x[c'] · scale[c']^(−beta − 1)
// The sum is over the channels c' whose window contains c: c − (size − 1) / 2 to c + size / 2.
// alpha_n = alpha / size.
//   x, scale, dy, dx: f32[N][C][pixels]
// launch: one thread for CHUNK channels of a pixel, so that each power is computed once for several
//   sums; x counts workgroups along a plane, y and z count planes (n, chunk)
// checked by test/ops/specifications.test.ts and test/ops/localResponseNorm.test.ts
#include "lib/plane.wgsl"
#include "local_response_norm/params.wgsl"

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
  let first = (plane % params.chunks) * #{CHUNK}u;
  let image = (plane / params.chunks) * params.channels;
  #repeat c in 0..CHUNK + BEFORE + BEHIND
    var x#{c} = 0.0;
    var direct#{c} = 0.0; // dy · scale^-beta
    var term#{c} = 0.0; // dy · x · scale^(-beta - 1)
    // A channel below 0 wraps around to a large number, which is past the last channel.
    if (first + #{c}u - #{BEFORE}u < params.channels) {
      let at = (image + first + #{c}u - #{BEFORE}u) * params.pixels + t;
      let here = scale[at];
      x#{c} = x[at];
      direct#{c} = dy[at] * power(here);
      term#{c} = direct#{c} * x#{c} / here;
    }
  #end repeat c
  #repeat c in 0..CHUNK
    if (first + #{c}u < params.channels) {
      var sum = 0.0;
      #repeat s in 0..BEFORE + BEHIND + 1
        sum += term#{c + s};
      #end repeat s
      dx[(image + first + #{c}u) * params.pixels + t] = direct#{c + BEFORE}
        - 2.0 * params.alpha_n * params.beta * x#{c + BEFORE} * sum;
    }
  #end repeat c
}
