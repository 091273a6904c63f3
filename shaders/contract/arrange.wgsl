// contract/arrange: pads images with zeros, or cuts rows and columns off, and interleaves them by
// four, so that the same pixel of four images is one vector
//   y[n / V, c, i, j, n mod V] = x[n, c, i − top, j − left]   with V = IMAGES_PER_VECTOR, 1 or 4
// Values are 0 outside x, and for n ≥ batch.
//   x: f32[batch][channels][height][width]
//   y: f32 or, for V = 4, vec4f[⌈batch / V⌉][channels][out_height][out_width]
// launch: one thread per vector of a plane; x counts workgroups along a plane, y and z count planes
//   (n / V, c)
// checked by test/ops/contract.test.ts
#include "lib/plane.wgsl"

struct Params {
  planes: u32, batch: u32, channels: u32, height: u32, width: u32,
  out_height: u32, out_width: u32, top: i32, left: i32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
#if IMAGES_PER_VECTOR == 4
  @group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
#else
  @group(0) @binding(1) var<storage, read_write> y: array<f32>;
#end if
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = plane_index(group);
  let pixel = plane_element(group, thread);
  let pixels = params.out_height * params.out_width;
  if (plane >= params.planes || pixel >= pixels) {
    return;
  }
  let n = plane / params.channels * #{IMAGES_PER_VECTOR}u;
  let channel = plane % params.channels;
  let image_stride = params.channels * params.height * params.width;
  let i = i32(pixel / params.out_width) - params.top;
  let j = i32(pixel % params.out_width) - params.left;
  #if IMAGES_PER_VECTOR == 4
    var value = vec4f();
  #else
    var value = 0.0;
  #end if
  if (i >= 0 && i < i32(params.height) && j >= 0 && j < i32(params.width)) {
    let x_at = n * image_stride + (channel * params.height + u32(i)) * params.width + u32(j);
    #if IMAGES_PER_VECTOR == 4
      #repeat e in 0..4
        if (n + #{e}u < params.batch) {
          value[#{e}] = x[x_at + #{e}u * image_stride];
        }
      #end repeat e
    #else
      value = x[x_at];
    #end if
  }
  y[plane * pixels + pixel] = value;
}
