// The params of both adaptive average pool kernels, and the bounds of a window. Filled in by
// src/ops/adaptiveAvgPool2d.ts.
struct Params { planes: u32, height: u32, width: u32, out_height: u32, out_width: u32 }

// Window i of `outputs` over `extent` elements starts at floor(i · extent / outputs) …
fn window_first(i: u32, extent: u32, outputs: u32) -> u32 {
  return i * extent / outputs;
}

// … and ends before ceil((i + 1) · extent / outputs), as in PyTorch.
fn window_end(i: u32, extent: u32, outputs: u32) -> u32 {
  return ((i + 1u) * extent + outputs - 1u) / outputs;
}
