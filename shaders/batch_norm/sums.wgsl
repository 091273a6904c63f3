// sums: what the gradients of a channel add up, over a thread's part of it
//   parts[n · chunks + k, c] = (Σ dy, Σ dy · (x − mean[c]))
// RELU: dy counts where the result y is above 0.
//   x, y, dy: f32[N][C][vectors]   mean: f32[C]   parts: vec2f[N · chunks][C]
// launch: `chunks` threads share a row, one channel of an image (lib/rows.wgsl)
// checked by test/ops/specifications.test.ts and test/ops/batchNorm.test.ts
#include "lib/rows.wgsl"

struct Params { n: u32, chunks: u32, vectors: u32, channels: u32 }

@group(0) @binding(0) var<storage, read> x: array<Values>;
@group(0) @binding(1) var<storage, read> dy: array<Values>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<vec2f>;
#if RELU
  @group(0) @binding(4) var<storage, read> y: array<Values>;
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
  let image = divide(row, params.channels);
  let c = row - image * params.channels;
  let center = mean[c];
  let end = (row + 1u) * params.vectors;
  var sum = Values();
  var moment = Values();
  for (var i = row * params.vectors + (t - row * chunks); i < end; i += chunks) {
    #if RELU
      let gradient = select(Values(), dy[i], y[i] > Values());
    #else
      let gradient = dy[i];
    #end if
    sum += gradient;
    moment += gradient * (x[i] - center);
  }
  let part = image * chunks + (t - row * chunks);
  parts[part * params.channels + c] = vec2f(total(sum), total(moment));
}
