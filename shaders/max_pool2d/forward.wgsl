// max_pool2d_forward: the maximum of every window, and where it is
//   y[p, i, j] = max over u, v of x[p, i · stride + u − padding, j · stride + v − padding]
//   winner[p, i, j] = the index of that maximum within its plane of x
// Elements outside x count as −∞. Of equal maxima the first in row order wins, and NaN wins over
// numbers, as in PyTorch.
//   x: f32[planes][H][W]   y: f32[planes][OH][OW]   winner: u32[planes][OH][OW]
// launch: x counts workgroups along a plane of y, y and z count planes
// The window is compiled in: KERNEL_Y, KERNEL_X, STRIDE_Y, STRIDE_X, PADDING_Y, PADDING_X. OUTSIDE
// is 1 if any window is partly outside x.
// checked by test/ops/specifications.test.ts and test/ops/maxPool2d.test.ts
#include "lib/plane.wgsl"
#include "lib/divide.wgsl"

struct Params { planes: u32, height: u32, width: u32, out_height: u32, out_width: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#if WINNER
  @group(0) @binding(2) var<storage, read_write> winner: array<u32>;
#end if
@group(1) @binding(0) var<uniform> params: Params;

// Tests the bits, since a compiler may assume that value == value.
fn is_nan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = plane_index(group);
  let t = plane_element(group, thread);
  let outputs = params.out_height * params.out_width;
  if (plane >= params.planes || t >= outputs) {
    return;
  }
  let i = divide(t, params.out_width);
  let top = i * #{STRIDE_Y}u; // counted from the padding's edge
  let left = (t - i * params.out_width) * #{STRIDE_X}u;
  let base = plane * params.height * params.width;
  #if OUTSIDE == 0
    var at = top * params.width + left;
    var best = x[base + at];
    #repeat u in 0..KERNEL_Y
      #repeat v in 0..KERNEL_X
        #if u + v > 0
          let at#{u}_#{v} = (top + #{u}u) * params.width + left + #{v}u;
          let value#{u}_#{v} = x[base + at#{u}_#{v}];
          let wins#{u}_#{v} = value#{u}_#{v} > best || is_nan(value#{u}_#{v});
          best = select(best, value#{u}_#{v}, wins#{u}_#{v});
          at = select(at, at#{u}_#{v}, wins#{u}_#{v});
        #end if
      #end repeat v
    #end repeat u
  #else
    var best = 0.0;
    var at = 0u;
    var empty = true;
    for (var u = 0u; u < #{KERNEL_Y}u; u++) {
      let row = top + u - #{PADDING_Y}u; // below 0 it wraps around, past the last row
      for (var v = 0u; v < #{KERNEL_X}u; v++) {
        let column = left + v - #{PADDING_X}u;
        if (row < params.height && column < params.width) {
          let value = x[base + row * params.width + column];
          if (empty || value > best || is_nan(value)) {
            best = value;
            at = row * params.width + column;
            empty = false;
          }
        }
      }
    }
  #end if
  y[plane * outputs + t] = best;
  #if WINNER
    winner[plane * outputs + t] = at;
  #end if
}
