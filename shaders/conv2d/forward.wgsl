// conv2d_forward: a convolution, with a bias and a ReLU if wanted
//   y[n, o, i, j] = bias[o] + Σ_c Σ_u Σ_v weight[o, c, u, v] · x[n, first(o) + c, row, column]
//   with row = i · stride + u − padding and column = j · stride + v − padding
// x is 0 outside the image. first(o) is the first channel of the group of output channel o. With
// params.relu, max(y, 0) is stored.
//   x: f32[N, C, H, W]   weight: f32[O, C / groups, KH, KW]   bias: f32[O]   y: f32[N, O, OH, OW]
// launch: one thread per element of y; workgroups are in x, past 65,535 also in y
// The plain kernel: contract/tile.wgsl is checked against it, and it runs where subgroups are not
// reliable.
// checked by test/ops/specifications.test.ts and test/ops/conv2d.test.ts
#include "lib/linear.wgsl"
#include "conv2d/params.wgsl"

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#if BIAS
  @group(0) @binding(3) var<storage, read> bias: array<f32>;
#end if
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = linear_index(group, thread);
  if (index >= params.n) {
    return;
  }
  let j = index % params.out_width;
  let i = (index / params.out_width) % params.out_height;
  let o = (index / (params.out_width * params.out_height)) % params.out_channels;
  let n = index / (params.out_width * params.out_height * params.out_channels);
  let depth = params.channels / params.groups;
  let first_channel = o / (params.out_channels / params.groups) * depth;
  var sum = 0.0;
  for (var c = 0u; c < depth; c++) {
    let plane = (n * params.channels + first_channel + c) * params.height;
    let filter_base = (o * depth + c) * params.kernel_height;
    for (var u = 0u; u < params.kernel_height; u++) {
      let row = i * params.stride_y + u; // counted from the padding's edge
      if (row < params.padding_y || row - params.padding_y >= params.height) {
        continue;
      }
      for (var v = 0u; v < params.kernel_width; v++) {
        let column = j * params.stride_x + v;
        if (column < params.padding_x || column - params.padding_x >= params.width) {
          continue;
        }
        sum += weight[(filter_base + u) * params.kernel_width + v]
          * x[(plane + row - params.padding_y) * params.width + column - params.padding_x];
      }
    }
  }
  #if BIAS
    sum += bias[o];
  #end if
  y[index] = select(sum, 0.0, params.relu != 0u && sum < 0.0); // NaN stays, as in relu/forward.wgsl
}
