// augment: an image rotated, its colors changed, normalized, with a rectangle erased
//   y[n, c, row, col] = 0 inside the erased rectangle, elsewhere
//     normalize(change(pixel (row, col) of image n, rotated))
//   rgb, table: see transforms/color.wgsl   means: f32[N], the gray that contrast blends with
//   y: f32[N][3][size][size]
// launch: one thread per column; y, and z past 65,535, count the rows of all images
// checked by test/data/augment.test.ts
override WG: u32 = 64;

struct Params {
  columns: u32, rows: u32, images: u32, size: u32, fill_0: f32, fill_1: f32, fill_2: f32,
  scale: f32, bgr: u32, mean_0: f32, mean_1: f32, mean_2: f32,
  inv_std_0: f32, inv_std_1: f32, inv_std_2: f32,
}

@group(0) @binding(0) var<storage, read> rgb: array<f32>;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
#include "transforms/color.wgsl"
#include "transforms/normalize.wgsl"

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let col = group.x * WG + thread;
  let line = group.z * 65535u + group.y;
  if (col >= params.columns || line >= params.rows) {
    return;
  }
  // Uniform over the workgroup.
  let n = line / params.size;
  let row = line - n * params.size;
  let plane = params.size * params.size;
  let at = n * 3u * plane + row * params.size + col;
  let t = n * TABLE;
  let here = vec2f(f32(row), f32(col));
  let inside = all(here >= vec2f(table[t + 12u], table[t + 13u]))
    && all(here < vec2f(table[t + 14u], table[t + 15u]));
  if (table[t + 3u] != 0.0 && inside) {
    y[at] = 0.0;
    y[at + plane] = 0.0;
    y[at + 2u * plane] = 0.0;
  } else {
    store(at, plane, changed(n, turned(n, row, col), means[n], false));
  }
}
