// The params of both max-pool kernels; src/ops/maxPool2d.ts fills them. The window is compiled in: KERNEL_Y, KERNEL_X, STRIDE_Y, STRIDE_X,
// PADDING_Y and PADDING_X; OUTSIDE says whether any window lies partly outside x.
struct Params { planes: u32, height: u32, width: u32, out_height: u32, out_width: u32 }
