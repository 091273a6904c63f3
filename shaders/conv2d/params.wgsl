// The params of the three plain convolution kernels; src/ops/conv2d.ts fills them. relu: whether
// forward stores max(y, 0).
struct Params {
  n: u32, batch: u32, channels: u32, height: u32, width: u32,
  out_channels: u32, kernel_height: u32, kernel_width: u32, out_height: u32, out_width: u32,
  stride_y: u32, stride_x: u32, padding_y: u32, padding_x: u32, groups: u32, relu: u32,
}
