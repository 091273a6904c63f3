// merge: the moments of several parts as those of all of them together, one after the other in a
// fixed order (Chan, Golub & LeVeque 1979)
//   merged[g, c] = the moments of parts[g · size … , c]
// LAST: one group is left, and its mean and variance are the batch's. TRACK: the running statistics
// move towards them; the running variance is that of a sample, divided by count − 1. COUNT: and the
// batch is counted.
//   parts, merged: vec4f[…][C], (count, mean, Σ (x − mean)², 0)
//   mean, variance, running_mean, running_variance: f32[C]   batches: f32
// launch: one thread per element of merged; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/batchNorm.test.ts
#include "lib/linear.wgsl"

struct Params { n: u32, channels: u32, parts: u32, size: u32, momentum: f32 }

@group(0) @binding(0) var<storage, read> parts: array<vec4f>;
#if LAST
  @group(0) @binding(1) var<storage, read_write> mean: array<f32>;
  @group(0) @binding(2) var<storage, read_write> variance: array<f32>;
  #if TRACK
    @group(0) @binding(3) var<storage, read_write> running_mean: array<f32>;
    @group(0) @binding(4) var<storage, read_write> running_variance: array<f32>;
  #end if
  #if COUNT
    @group(0) @binding(5) var<storage, read_write> batches: array<f32>;
  #end if
#else
  @group(0) @binding(1) var<storage, read_write> merged: array<vec4f>;
#end if
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let t = linear_index(group, thread);
  if (t >= params.n) {
    return;
  }
  let channels = params.channels;
  let g = t / channels;
  let c = t - g * channels;
  let first = g * params.size;
  let end = min(first + params.size, params.parts);
  var all = parts[first * channels + c];
  for (var i = first + 1u; i < end; i++) {
    let one = parts[i * channels + c];
    let count = all.x + one.x;
    let distance = one.y - all.y;
    let share = one.x / count;
    all = vec4f(
      count,
      all.y + distance * share,
      all.z + one.z + distance * distance * (all.x * share),
      0.0,
    );
  }
  #if LAST
    mean[c] = all.y;
    variance[c] = all.z / all.x;
    #if TRACK
      running_mean[c] += params.momentum * (all.y - running_mean[c]);
      running_variance[c] += params.momentum * (all.z / (all.x - 1.0) - running_variance[c]);
    #end if
    #if COUNT
      if (c == 0u) {
        batches[0] += 1.0;
      }
    #end if
  #else
    merged[t] = all;
  #end if
}
