// gray: the mean gray of an image that contrast blends with, as one partial sum per column
//   sums[n, col] = Σ_row gray(change(pixel (row, col) of image n, rotated)) / size²
// The changes are those before contrast. The mean is the sum over the columns.
//   rgb, table: see transforms/color.wgsl   sums: f32[N][size]
// launch: one thread per column; y, and z past 65,535, count images
// checked by test/data/augment.test.ts
override WG: u32 = 64;

struct Params { columns: u32, rows: u32, size: u32, fill_0: f32, fill_1: f32, fill_2: f32 }

@group(0) @binding(0) var<storage, read> rgb: array<f32>;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
#include "transforms/color.wgsl"

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let col = group.x * WG + thread;
  let n = group.z * 65535u + group.y;
  if (col >= params.columns || n >= params.rows) {
    return;
  }
  var sum = 0.0;
  for (var row = 0u; row < params.size; row++) {
    sum += gray(changed(n, turned(n, row, col), 0.0, true));
  }
  sums[n * params.columns + col] = sum / f32(params.size * params.size);
}
