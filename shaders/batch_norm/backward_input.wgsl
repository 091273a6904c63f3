// batch_norm_backward_input: with s = 1 / √(variance[c] + epsilon)
//   dx = weight[c] · s · dy
//   TRAINING: dx = weight[c] · s · (dy − Σ dy / count
//     − (x − mean[c]) · s² · Σ dy · (x − mean) / count)
// since the statistics then depend on x (Ioffe & Szegedy 2015).
// RELU: dy counts where the result y is above 0.
//   x, y, dy, dx: f32[N][C][vectors]   mean, variance, weight: f32[C]   sums: vec2f[C]
// launch: `chunks` threads share a row, one channel of an image (lib/rows.wgsl)
// checked by test/ops/specifications.test.ts and test/ops/batchNorm.test.ts
#include "lib/rows.wgsl"

struct Params { n: u32, chunks: u32, vectors: u32, channels: u32, epsilon: f32, count: f32 }

@group(0) @binding(0) var<storage, read> dy: array<Values>;
@group(0) @binding(1) var<storage, read> variance: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<Values>;
#if RELU
  @group(0) @binding(4) var<storage, read> y: array<Values>;
#end if
#if TRAINING
  @group(0) @binding(5) var<storage, read> x: array<Values>;
  @group(0) @binding(6) var<storage, read> mean: array<f32>;
  @group(0) @binding(7) var<storage, read> sums: array<vec2f>;
#end if
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let t = linear_index(group, thread);
  if (t >= params.n) {
    return;
  }
  let chunks = params.chunks;
  let row = divide(t, chunks);
  let c = row % params.channels;
  let inverse = 1.0 / sqrt(variance[c] + params.epsilon);
  let scale = weight[c] * inverse;
  #if TRAINING
    let center = mean[c];
    let average = sums[c].x / params.count;
    let slope = inverse * inverse * sums[c].y / params.count;
  #end if
  let end = (row + 1u) * params.vectors;
  for (var i = row * params.vectors + (t - row * chunks); i < end; i += chunks) {
    #if RELU
      let gradient = select(Values(), dy[i], y[i] > Values());
    #else
      let gradient = dy[i];
    #end if
    #if TRAINING
      dx[i] = scale * (gradient - average - (x[i] - center) * slope);
    #else
      dx[i] = scale * gradient;
    #end if
  }
}
