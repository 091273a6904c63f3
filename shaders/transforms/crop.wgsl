// crop: y[slot, c, row, col] = normalise(x[c, top + row, left + (flip ? size − 1 − col : col)]); outside x its edge is repeated
// x: f32[3][height][width], RGB        y: f32[N][3][size][size]; base is where its slot begins
// launch: one thread per column, one row of workgroups per row, wrapping into z past 65,535; no division
// checked by test/data/transforms.test.ts
override WG: u32 = 64;

struct Params {
  columns: u32, rows: u32, height: i32, width: i32, top: i32, left: i32, flip: u32, base: u32,
  scale: f32, bgr: u32, mean_0: f32, mean_1: f32, mean_2: f32, inv_std_0: f32, inv_std_1: f32, inv_std_2: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;
#include "transforms/normalise.wgsl"

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let col = group.x * WG + thread;
  let row = group.z * 65535u + group.y;
  if (col >= params.columns || row >= params.rows) {
    return;
  }
  let across = select(col, params.columns - 1u - col, params.flip != 0u);
  let from_row = clamp(params.top + i32(row), 0, params.height - 1);
  let from_col = clamp(params.left + i32(across), 0, params.width - 1);
  let at = u32(from_row * params.width + from_col);
  let plane = u32(params.height * params.width);
  store(params.base + row * params.columns + col, params.rows * params.columns, vec3f(x[at], x[at + plane], x[at + 2u * plane]));
}
