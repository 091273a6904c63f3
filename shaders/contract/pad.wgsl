// pad: y[plane, i, j] = x[plane, i - top, j - left] inside x, 0 outside. Negative top or left cut rows or columns off.
//   x: f32[planes][height][width]        y: f32[planes][out_height][out_width]
// launch: one thread per element of y; the grid wraps into y past 65,535 groups
// checked by test/ops/contract.test.ts
#include "lib/linear.wgsl"

struct Params { n: u32, height: u32, width: u32, out_height: u32, out_width: u32, top: i32, left: i32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let n = linear_index(group, thread);
  if (n >= params.n) {
    return;
  }
  let j = i32(n % params.out_width) - params.left;
  let i = i32((n / params.out_width) % params.out_height) - params.top;
  let plane = n / (params.out_width * params.out_height);
  var value = 0.0;
  if (i >= 0 && i < i32(params.height) && j >= 0 && j < i32(params.width)) {
    value = x[(plane * params.height + u32(i)) * params.width + u32(j)];
  }
  y[n] = value;
}
