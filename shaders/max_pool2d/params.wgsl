// The params of both max-pool kernels; src/ops/maxPool2d.ts fills them.
struct Params {
  planes: u32, height: u32, width: u32, out_height: u32, out_width: u32,
  kernel_y: u32, kernel_x: u32, stride_y: u32, stride_x: u32, padding_y: u32, padding_x: u32,
}
