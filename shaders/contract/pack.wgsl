// pack: panels[plane][panel][(a, b, c)][r] = src[base + plane·plane_stride + row·row_stride + a·stride_a + b·stride_b + c·stride_c],
// where row = panel·ROWS + r, and 0 past the last row. Strides are signed: a flipped filter has negative ones.
//   src: f32, addressed by strides        panels: f32[planes][panels][depth][ROWS]
// launch: one thread per element of panels; the grid wraps into y past 65,535 groups
// checked by test/ops/contract.test.ts
#include "lib/linear.wgsl"

struct Params {
  n: u32, rows: u32, panels: u32,
  depth: u32, depth_b: u32, depth_c: u32,
  base: i32, plane_stride: i32, row_stride: i32, stride_a: i32, stride_b: i32, stride_c: i32,
}

@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> panels: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let i = linear_index(group, thread);
  if (i >= params.n) {
    return;
  }
  let r = i % #{ROWS}u;
  let k = (i / #{ROWS}u) % params.depth;
  let panel_index = i / #{ROWS}u / params.depth;
  let row = (panel_index % params.panels) * #{ROWS}u + r;
  if (row >= params.rows) {
    panels[i] = 0.0;
    return;
  }
  let plane = panel_index / params.panels;
  let c = k % params.depth_c;
  let b = (k / params.depth_c) % params.depth_b;
  let a = k / (params.depth_c * params.depth_b);
  let at = params.base + i32(plane) * params.plane_stride + i32(row) * params.row_stride
    + i32(a) * params.stride_a + i32(b) * params.stride_b + i32(c) * params.stride_c;
  panels[i] = src[at];
}
