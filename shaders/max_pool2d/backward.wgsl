// max_pool2d_backward: the gradient of a maximum goes to the element that is the maximum
//   dx[p, i] = Σ_o dy[p, o]   over the windows o with winner[p, o] = i
// Each element of dx looks at the windows it is in, so no atomic addition is needed.
//   winner: u32[planes][OH][OW]   dy: f32[planes][OH][OW]   dx: f32[planes][H][W]
// launch: one thread per block of STRIDE_Y x STRIDE_X elements of dx, since all of them are in the
//   same windows; x counts workgroups along a plane's blocks_y · blocks_x, y and z count planes
// The window is compiled in: KERNEL_Y, KERNEL_X, STRIDE_Y, STRIDE_X, PADDING_Y, PADDING_X.
// checked by test/ops/specifications.test.ts and test/ops/maxPool2d.test.ts
#include "lib/plane.wgsl"
#include "lib/divide.wgsl"

struct Params {
  planes: u32, height: u32, width: u32, out_height: u32, out_width: u32,
  blocks_y: u32, blocks_x: u32,
}

@group(0) @binding(0) var<storage, read> winner: array<u32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let plane = plane_index(group);
  let block = plane_element(group, thread);
  let height = params.height;
  let width = params.width;
  let out_height = params.out_height;
  let out_width = params.out_width;
  let blocks_x = params.blocks_x;
  if (plane >= params.planes || block >= params.blocks_y * blocks_x) {
    return;
  }
  let block_i = divide(block, blocks_x);
  let block_j = block - block_i * blocks_x;
  // Blocks begin in the padding, as windows do. Rows and columns there are below 0: they wrap
  // around to large numbers, which are past the last row or column.
  let top = block_i * #{STRIDE_Y}u - #{PADDING_Y}u;
  let left = block_j * #{STRIDE_X}u - #{PADDING_X}u;
  #repeat r in 0..STRIDE_Y
    #repeat c in 0..STRIDE_X
      let t#{r}_#{c} = (top + #{r}u) * width + left + #{c}u;
      var sum#{r}_#{c} = 0.0;
    #end repeat c
  #end repeat r
  // The window that begins with this block is the last one that contains any of it. Windows before
  // it do so if they reach this far. An index below 0 wraps around, and is past the last window.
  let base = plane * out_height * out_width;
  #repeat up in 0..(KERNEL_Y + STRIDE_Y - 1) / STRIDE_Y
    #repeat back in 0..(KERNEL_X + STRIDE_X - 1) / STRIDE_X
      {
        let i = block_i - #{up}u;
        let j = block_j - #{back}u;
        if (i < out_height && j < out_width) {
          let o = base + i * out_width + j;
          let won = winner[o];
          let gradient = dy[o];
          // A window that does not contain the element has another winner.
          #repeat r in 0..STRIDE_Y
            #repeat c in 0..STRIDE_X
              sum#{r}_#{c} += select(0.0, gradient, won == t#{r}_#{c});
            #end repeat c
          #end repeat r
        }
      }
    #end repeat back
  #end repeat up
  let to = plane * height * width;
  #repeat r in 0..STRIDE_Y
    #repeat c in 0..STRIDE_X
      if (top + #{r}u < height && left + #{c}u < width) {
        dx[to + t#{r}_#{c}] = sum#{r}_#{c};
      }
    #end repeat c
  #end repeat r
}
