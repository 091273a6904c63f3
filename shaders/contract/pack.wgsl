// contract/pack: packs the A operand of contract/tile.wgsl and contract/block.wgsl in panels of
// ROWS rows
//   panels[plane][panel][(k0, k1, k2, e)][r] = src[base + plane · plane_stride + row · row_stride
//     + k0 · k0_stride + k1 · k1_stride + k2 · k2_stride + e · element_stride]
//   with row = panel · ROWS + r
// If a vector of the B operand is four steps of the sum, STEPS_PER_VECTOR is 4 and e counts them.
// Otherwise STEPS_PER_VECTOR is 1 and e is 0. Values are 0 below the last row, and for
// k0 · STEPS_PER_VECTOR + e ≥ outer_steps.
//   src: f32, addressed by strides   panels: vec4f[planes][panels][depth][ROWS / 4]
// launch: one thread per vector of panels; workgroups are in x, past 65,535 also in y
// checked by test/ops/contract.test.ts
#include "lib/linear.wgsl"

struct Params {
  n: u32, rows: u32, panels: u32, depth0: u32, depth1: u32, depth2: u32, outer_steps: u32,
  base: u32, plane_stride: u32, row_stride: u32,
  k0_stride: u32, k1_stride: u32, k2_stride: u32, element_stride: u32,
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
  let element = i / #{ROWS / 4}u % #{STEPS_PER_VECTOR}u;
  let k012 = i / #{ROWS / 4 * STEPS_PER_VECTOR}u;
  let k01 = k012 / params.depth2;
  let panel_k0 = k01 / params.depth1;
  let panel = panel_k0 / params.depth0;
  let k0 = panel_k0 % params.depth0;
  let row = panel % params.panels * #{ROWS}u + i % #{ROWS / 4}u * 4u;
  let src_at = params.base
    + panel / params.panels * params.plane_stride
    + row * params.row_stride
    + k0 * params.k0_stride
    + k01 % params.depth1 * params.k1_stride
    + k012 % params.depth2 * params.k2_stride
    + element * params.element_stride;
  var value = vec4f();
  if (k0 * #{STEPS_PER_VECTOR}u + element < params.outer_steps) {
    #repeat r in 0..4
      if (row + #{r}u < params.rows) {
        value[#{r}] = src[src_at + #{r}u * params.row_stride];
      }
    #end repeat r
  }
  panels[i] = value;
}
