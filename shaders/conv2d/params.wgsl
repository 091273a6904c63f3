// The params of the three plain convolution kernels, filled in by src/ops/conv2d.ts. relu is 1 if
// forward stores max(y, 0).
struct Params {
  n: u32, batch: u32, channels: u32, height: u32, width: u32,
  out_channels: u32, kernel_height: u32, kernel_width: u32, out_height: u32, out_width: u32,
  stride_y: u32, stride_x: u32, padding_y: u32, padding_x: u32, groups: u32, relu: u32,
}
