// interleave: puts the phases of the input gradient side by side as the pixels of dx
//   dx[n, c, i, j] = phases[c, y mod stride, x mod stride][n / V][row, column][n mod V]
//   with y = i + padding,  row = ⌊y / stride⌋ − first_y,
//        x = j + padding,  column = ⌊x / stride⌋ − first_x,  and V = IMAGES_PER_VECTOR
//   phases: f32[C][stride_y][stride_x][image_vectors][count_y][count_x][V]   dx: f32[N][C][H][W]
// launch: one thread per element of a plane of dx; x counts workgroups along a plane, y and z count
//   planes
// checked by test/ops/specifications.test.ts and test/ops/conv2d.test.ts
#include "lib/plane.wgsl"

struct Params {
  planes: u32, channels: u32, height: u32, width: u32,
  stride_y: u32, stride_x: u32, padding_y: u32, padding_x: u32,
  first_y: u32, first_x: u32, count_y: u32, count_x: u32, image_vectors: u32,
}

@group(0) @binding(0) var<storage, read> phases: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = plane_index(group);
  let t = plane_element(group, thread);
  if (plane >= params.planes || t >= params.height * params.width) {
    return;
  }
  let y = t / params.width + params.padding_y;
  let x = t % params.width + params.padding_x;
  let channel = plane % params.channels;
  let phase = (channel * params.stride_y + y % params.stride_y) * params.stride_x
    + x % params.stride_x;
  let n = plane / params.channels;
  let vector = n / #{IMAGES_PER_VECTOR}u;
  let row = (phase * params.image_vectors + vector) * params.count_y
    + y / params.stride_y - params.first_y;
  let pixel = row * params.count_x + x / params.stride_x - params.first_x;
  dx[plane * params.height * params.width + t]
    = phases[pixel * #{IMAGES_PER_VECTOR}u + n % #{IMAGES_PER_VECTOR}u];
}
