// pack_phases: packs the filters of the input gradient in panels of ROWS rows. There is one row for
// each input channel c and each phase (py, px) of the stride:
//   panels[g][panel][(a, b, o)][r] = weight[g · O / groups + o, c, u, v]
//   with u = stride_y · (TY − 1 − a) + py,   v = stride_x · (TX − 1 − b) + px,
//        row = panel · ROWS + r = (c · stride_y + py) · stride_x + px
// Values are 0 where (u, v) is past the filter, and below the last row.
//   weight: f32[O][C / groups][KH][KW]
//   panels: vec4f[groups][panels][TY][TX][O / groups][ROWS / 4]
// launch: one thread per vector of panels; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/conv2d.test.ts
#include "lib/linear.wgsl"

struct Params {
  n: u32, rows: u32, panels: u32, outputs: u32, depth: u32, kernel_height: u32, kernel_width: u32,
  stride_y: u32, stride_x: u32, taps_y: u32, taps_x: u32,
}

@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> panels: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let i = linear_index(group, thread);
  if (i >= params.n) {
    return;
  }
  let k = i / #{ROWS / 4}u;
  let o = k % params.outputs;
  let taps = k / params.outputs;
  let b = taps % params.taps_x;
  let a = taps / params.taps_x % params.taps_y;
  let panel_index = taps / (params.taps_x * params.taps_y);
  let first = (panel_index % params.panels) * #{ROWS}u + i % #{ROWS / 4}u * 4u;
  let output = panel_index / params.panels * params.outputs + o;
  var value = vec4f();
  #repeat r in 0..4
    {
      let row = first + #{r}u;
      let c = row / (params.stride_x * params.stride_y);
      let u = params.stride_y * (params.taps_y - 1u - a) + row / params.stride_x % params.stride_y;
      let v = params.stride_x * (params.taps_x - 1u - b) + row % params.stride_x;
      if (row < params.rows && u < params.kernel_height && v < params.kernel_width) {
        let filter_row = (output * params.depth + c) * params.kernel_height + u;
        value[#{r}] = weight[filter_row * params.kernel_width + v];
      }
    }
  #end repeat r
  panels[i] = value;
}
