// resize, vertical pass, and the normalization
//   y[slot, c, row, x] = normalize(Σ_t weight[t, row] · half[c, first[row] + t, x])
//   half: f32[3][half_rows][columns]
//   filters: from filters_at on, first: u32[rows], then weight: f32[taps][rows] as bits
//   y: f32[N][3][rows][columns]; the slot starts at base
// launch: one thread per column; y, and z past 65,535, count rows, so no thread divides
// checked by test/data/transforms.test.ts
override WG: u32 = 64;

struct Params {
  columns: u32, rows: u32, half_rows: u32, taps: u32, filters_at: u32, base: u32,
  scale: f32, bgr: u32, mean_0: f32, mean_1: f32, mean_2: f32,
  inv_std_0: f32, inv_std_1: f32, inv_std_2: f32,
}

@group(0) @binding(0) var<storage, read> half: array<f32>;
@group(0) @binding(1) var<storage, read> filters: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
#include "transforms/normalize.wgsl"

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let x = group.x * WG + thread;
  let row = group.z * 65535u + group.y;
  if (x >= params.columns || row >= params.rows) {
    return;
  }
  let plane = params.half_rows * params.columns;
  var at = filters[params.filters_at + row] * params.columns + x;
  var weight_at = params.filters_at + params.rows + row;
  var sum = vec3f();
  for (var t = 0u; t < params.taps; t++) {
    let weight = bitcast<f32>(filters[weight_at]);
    sum += weight * vec3f(half[at], half[at + plane], half[at + 2u * plane]);
    at += params.columns;
    weight_at += params.rows;
  }
  store(params.base + row * params.columns + x, params.rows * params.columns, sum);
}
