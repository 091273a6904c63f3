// conv2d_backward_input: the gradient of a convolution's input
//   dx[n, c, i, j] = Σ_o Σ_u Σ_v weight[o, c, u, v] · dy[n, o, row, column]
//   with row = (i + padding − u) / stride and column = (j + padding − v) / stride
// The sum is over the output channels o of the group of channel c, and over those taps (u, v) for
// which both divisions leave no remainder and dy has the pixel (row, column).
//   dy: f32[N, O, OH, OW]   weight: f32[O, C / groups, KH, KW]   dx: f32[N, C, H, W]
// launch: one thread per element of dx; workgroups are in x, past 65,535 also in y
// The plain kernel: contract/tile.wgsl is checked against it, and it runs where subgroups are not
// reliable.
// checked by test/ops/specifications.test.ts and test/ops/conv2d.test.ts
#include "lib/linear.wgsl"
#include "conv2d/params.wgsl"

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = linear_index(group, thread);
  if (index >= params.n) {
    return;
  }
  let j = index % params.width;
  let i = (index / params.width) % params.height;
  let channel = (index / (params.width * params.height)) % params.channels;
  let n = index / (params.width * params.height * params.channels);
  let depth = params.channels / params.groups;
  let per_group = params.out_channels / params.groups;
  let c = channel % depth;
  let first_out = channel / depth * per_group;
  var sum = 0.0;
  for (var o = first_out; o < first_out + per_group; o++) {
    let plane = (n * params.out_channels + o) * params.out_height;
    let filter_base = (o * depth + c) * params.kernel_height;
    for (var u = 0u; u < params.kernel_height; u++) {
      let row = i + params.padding_y;
      let out_row = (row - u) / params.stride_y;
      if (row < u || (row - u) % params.stride_y != 0u || out_row >= params.out_height) {
        continue;
      }
      for (var v = 0u; v < params.kernel_width; v++) {
        let column = j + params.padding_x;
        let out_column = (column - v) / params.stride_x;
        if (column < v || (column - v) % params.stride_x != 0u || out_column >= params.out_width) {
          continue;
        }
        sum += weight[(filter_base + u) * params.kernel_width + v]
          * dy[(plane + out_row) * params.out_width + out_column];
      }
    }
  }
  dx[index] = sum;
}
