// product: a matrix product of operands addressed by strides, with a bias and a ReLU if wanted
//   y[y_base + row · y_row + col] = bias[bias_base + col]
//     + Σ_k a[a_base + row · a_row + k · a_k] · b[b_base + k · b_k + col · b_col]
// With the right strides these are the three passes of a dense layer, and with bases parts of them.
// With params.relu, max(y, 0) is stored.
//   a, b, y: f32, addressed by strides   bias: f32
// launch: one thread per element of y; workgroups are in x, past 65,535 also in y
// The plain kernel: contract/tile.wgsl is checked against it, and it runs where subgroups are not
// reliable.
// checked by test/ops/specifications.test.ts and test/ops/linear.test.ts
#include "lib/linear.wgsl"

struct Params {
  rows: u32, cols: u32, depth: u32,
  a_base: u32, a_row: u32, a_k: u32,
  b_base: u32, b_k: u32, b_col: u32,
  y_base: u32, y_row: u32,
  bias_base: u32, relu: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#if BIAS
  @group(0) @binding(3) var<storage, read> bias: array<f32>;
#end if
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = linear_index(group, thread);
  if (index >= params.rows * params.cols) {
    return;
  }
  let row = index / params.cols;
  let col = index % params.cols;
  var sum = 0.0;
  for (var k = 0u; k < params.depth; k++) {
    sum += a[params.a_base + row * params.a_row + k * params.a_k]
      * b[params.b_base + k * params.b_k + col * params.b_col];
  }
  #if BIAS
    sum += bias[params.bias_base + col];
  #end if
  // NaN stays, as in relu/forward.wgsl
  y[params.y_base + row * params.y_row + col] = select(sum, 0.0, params.relu != 0u && sum < 0.0);
}
