// moments: how many elements a thread's part of a channel has, their mean, and their squared
// distances from it, the first stage of the statistics
//   parts[n · chunks + k, c] = (count, mean, Σ (x − mean)², 0)
// The part is read twice, the second time from the cache. Both sums are of differences: from its
// first element, then from its mean, so that a large mean costs no digits.
//   x: f32[N][C][vectors]   parts: vec4f[N · chunks][C]
// launch: `chunks` threads share a row, one channel of an image (lib/rows.wgsl)
// checked by test/ops/specifications.test.ts and test/ops/batchNorm.test.ts
#include "lib/rows.wgsl"

struct Params { n: u32, chunks: u32, vectors: u32, channels: u32 }

@group(0) @binding(0) var<storage, read> x: array<Values>;
@group(0) @binding(1) var<storage, read_write> parts: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let t = linear_index(group, thread);
  if (t >= params.n) {
    return;
  }
  let chunks = params.chunks;
  let row = divide(t, chunks);
  let first = row * params.vectors + (t - row * chunks);
  let end = (row + 1u) * params.vectors;
  let start = first_of(x[first]);
  var sum = Values();
  var count = 0u;
  for (var i = first; i < end; i += chunks) {
    sum += x[i] - start;
    count += #{VECTOR}u;
  }
  let mean = start + total(sum) / f32(count);
  var squares = Values();
  for (var i = first; i < end; i += chunks) {
    let distance = x[i] - mean;
    squares += distance * distance;
  }
  let image = divide(row, params.channels);
  let part = image * chunks + (t - row * chunks);
  parts[part * params.channels + row - image * params.channels] =
    vec4f(f32(count), mean, total(squares), 0.0);
}
