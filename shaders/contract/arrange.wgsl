// arrange: y[n / FOURS, c, i, j, n mod FOURS] = x[n, c, i - top, j - left], 0 outside x and for n ≥
// batch: four images side by side are one vector
//   x: f32[batch][channels][height][width]        y: f32 or, for FOURS = 4, vec4f[⌈batch / FOURS⌉][channels][out_height][out_width]
// launch: one thread per vector of a plane; planes (group of images · channel) are a grid dimension
// (src/gpu/kernels/kernel.ts, planeKernel) checked by test/ops/contract.test.ts
#include "lib/plane.wgsl"

struct Params { planes: u32, batch: u32, channels: u32, height: u32, width: u32, out_height: u32, out_width: u32, top: i32, left: i32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
#if FOURS == 4
  @group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
#else
  @group(0) @binding(1) var<storage, read_write> y: array<f32>;
#end if
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = plane_index(group);
  let t = plane_element(group, thread);
  let pixels = params.out_height * params.out_width;
  if (plane >= params.planes || t >= pixels) {
    return;
  }
  let n = plane / params.channels * #{FOURS}u;
  let channel = plane % params.channels;
  let image = params.channels * params.height * params.width;
  let i = i32(t / params.out_width) - params.top;
  let j = i32(t % params.out_width) - params.left;
  #if FOURS == 4
    var value = vec4f();
  #else
    var value = 0.0;
  #end if
  if (i >= 0 && i < i32(params.height) && j >= 0 && j < i32(params.width)) {
    let at = n * image + (channel * params.height + u32(i)) * params.width + u32(j);
    #if FOURS == 4
      #repeat e in 0..4
        if (n + #{e}u < params.batch) {
          value[#{e}] = x[at + #{e}u * image];
        }
      #end repeat e
    #else
      value = x[at];
    #end if
  }
  y[plane * pixels + t] = value;
}
