// pack: panels[plane][panel][(a, b, c, e)][r] = src[base + plane·plane_stride + row·row_stride +
// a·stride_a + b·stride_b + c·stride_c + e·stride_e], where row = panel·ROWS + r and e < FOURS
// counts within a group; 0 past the last row and where a · FOURS + e ≥ live
//   src: f32, addressed by strides        panels: vec4f[planes][panels][depth][ROWS / 4]
// launch: one thread per vector of panels; the grid wraps into y past 65,535 groups
// checked by test/ops/contract.test.ts
#include "lib/linear.wgsl"

struct Params {
  n: u32, rows: u32, panels: u32, depth_a: u32, depth_b: u32, depth_c: u32, live: u32,
  base: u32, plane_stride: u32, row_stride: u32, stride_a: u32, stride_b: u32, stride_c: u32, stride_e: u32,
}

@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> panels: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let i = linear_index(group, thread);
  if (i >= params.n) {
    return;
  }
  let e = i / #{ROWS / 4}u % #{FOURS}u;
  let ic = i / #{ROWS / 4 * FOURS}u;
  let ib = ic / params.depth_c;
  let ia = ib / params.depth_b;
  let panel = ia / params.depth_a;
  let a = ia % params.depth_a;
  let row = panel % params.panels * #{ROWS}u + i % #{ROWS / 4}u * 4u;
  let at = params.base + panel / params.panels * params.plane_stride + row * params.row_stride + a * params.stride_a
    + ib % params.depth_b * params.stride_b + ic % params.depth_c * params.stride_c + e * params.stride_e;
  var value = vec4f();
  if (a * #{FOURS}u + e < params.live) {
    #repeat r in 0..4
      if (row + #{r}u < params.rows) {
        value[#{r}] = src[at + #{r}u * params.row_stride];
      }
    #end repeat r
  }
  panels[i] = value;
}
