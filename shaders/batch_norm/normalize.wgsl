// normalize: y = (x − mean[c]) / √(variance[c] + epsilon) · weight[c] + bias[c]
// RELU: and the larger of that and 0
//   x, y: f32[N][C][vectors]   mean, variance, weight, bias: f32[C]
// launch: `chunks` threads share a row, one channel of an image (lib/rows.wgsl)
// checked by test/ops/specifications.test.ts and test/ops/batchNorm.test.ts
#include "lib/rows.wgsl"

struct Params { n: u32, chunks: u32, vectors: u32, channels: u32, epsilon: f32 }

@group(0) @binding(0) var<storage, read> x: array<Values>;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> variance: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<Values>;
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
  let center = mean[c];
  let scale = weight[c] / sqrt(variance[c] + params.epsilon);
  let shift = bias[c];
  let end = (row + 1u) * params.vectors;
  for (var i = row * params.vectors + (t - row * chunks); i < end; i += chunks) {
    let value = (x[i] - center) * scale + shift;
    #if RELU
      // NaN stays NaN, as in relu/forward.wgsl.
      y[i] = select(value, Values(), value < Values());
    #else
      y[i] = value;
    #end if
  }
}
