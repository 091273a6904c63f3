// The params of both average pool kernels, and the divisor of a window. Filled in by
// src/ops/avgPool2d.ts. The window is compiled in: KERNEL_Y, KERNEL_X, STRIDE_Y, STRIDE_X,
// PADDING_Y, PADDING_X; PADDED says whether the padding counts.
struct Params {
  n: u32, height: u32, width: u32, out_height: u32, out_width: u32, blocks_y: u32, blocks_x: u32,
}

// What the sum of the window that begins at `start`, counted from the edge of the padding, is
// divided by along one axis: the elements that it holds. A last window may reach past the edge.
fn held(start: u32, kernel: u32, padding: u32, extent: u32) -> u32 {
  #if PADDED
    return min(start + kernel, extent + 2u * padding) - start;
  #else
    return min(start + kernel, extent + padding) - max(start, padding);
  #end if
}

fn divisor(i: u32, j: u32) -> f32 {
  return f32(
    held(i * #{STRIDE_Y}u, #{KERNEL_Y}u, #{PADDING_Y}u, params.height)
      * held(j * #{STRIDE_X}u, #{KERNEL_X}u, #{PADDING_X}u, params.width),
  );
}
