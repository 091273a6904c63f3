// conv2d_backward_weight: the gradient of a convolution's weight
//   dweight[o, c, u, v] = Σ_n Σ_i Σ_j dy[n, o, i, j] · x[n, first(o) + c, row, column]
//   with row = i · stride + u − padding and column = j · stride + v − padding
// x is 0 outside the image. first(o) is the first channel of the group of output channel o.
//   dy: f32[N, O, OH, OW]   x: f32[N, C, H, W]   dweight: f32[O, C / groups, KH, KW]
// launch: one thread per weight; workgroups are in x, past 65,535 also in y
// The plain kernel: contract/tile.wgsl is checked against it, and it runs where subgroups are not
// reliable.
// checked by test/ops/specifications.test.ts and test/ops/conv2d.test.ts
#include "lib/linear.wgsl"
#include "conv2d/params.wgsl"

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dweight: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = linear_index(group, thread);
  if (index >= params.n) {
    return;
  }
  let depth = params.channels / params.groups;
  let v = index % params.kernel_width;
  let u = (index / params.kernel_width) % params.kernel_height;
  let c = (index / (params.kernel_width * params.kernel_height)) % depth;
  let o = index / (params.kernel_width * params.kernel_height * depth);
  let channel = o / (params.out_channels / params.groups) * depth + c;
  var sum = 0.0;
  for (var n = 0u; n < params.batch; n++) {
    let plane = (n * params.channels + channel) * params.height;
    let out_plane = (n * params.out_channels + o) * params.out_height;
    for (var i = 0u; i < params.out_height; i++) {
      let row = i * params.stride_y + u; // counted from the padding's edge
      if (row < params.padding_y || row - params.padding_y >= params.height) {
        continue;
      }
      for (var j = 0u; j < params.out_width; j++) {
        let column = j * params.stride_x + v;
        if (column < params.padding_x || column - params.padding_x >= params.width) {
          continue;
        }
        sum += dy[(out_plane + i) * params.out_width + j]
          * x[(plane + row - params.padding_y) * params.width + column - params.padding_x];
      }
    }
  }
  dweight[index] = sum;
}
