// max_pool2d_backward: dx[p, i] = Σ dy[p, o] over the windows o whose winner is i; gathered, so nothing is added twice or atomically
//   winner: u32[planes][OH][OW]   dy: f32[planes][OH][OW]   dx: f32[planes][H][W]
// launch: x counts workgroups along a plane of dx, y and z count planes
// checked by test/ops/maxPool2d.test.ts
#include "lib/plane.wgsl"
#include "max_pool2d/params.wgsl"

@group(0) @binding(0) var<storage, read> winner: array<u32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// The first window that holds a position, which is counted from the padding's edge.
fn first_window(position: u32, kernel: u32, stride: u32) -> u32 {
  return select(0u, (position - kernel) / stride + 1u, position >= kernel);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = plane_index(group);
  let t = plane_element(group, thread);
  if (plane >= params.planes || t >= params.height * params.width) {
    return;
  }
  let row = t / params.width;
  let down = row + params.padding_y;
  let across = t - row * params.width + params.padding_x;
  let base = plane * params.out_height * params.out_width;
  let last_i = min(down / params.stride_y + 1u, params.out_height);
  let first_j = first_window(across, params.kernel_x, params.stride_x);
  let last_j = min(across / params.stride_x + 1u, params.out_width);
  var sum = 0.0;
  for (var i = first_window(down, params.kernel_y, params.stride_y); i < last_i; i++) {
    for (var j = first_j; j < last_j; j++) {
      let o = base + i * params.out_width + j;
      if (winner[o] == t) {
        sum += dy[o];
      }
    }
  }
  dx[plane * params.height * params.width + t] = sum;
}
