// The params of both LRN kernels, filled in by src/ops/localResponseNorm.ts. A thread computes
// CHUNK neighboring channels of one pixel; `planes` counts (image, chunk), `chunks` those of one
// image. The sum of channel c is over the channels c − BEFORE to c + BEHIND.
struct Params {
  planes: u32, chunks: u32, channels: u32, pixels: u32,
  alpha_n: f32, beta: f32, k: f32,
}

// scale^-beta; without pow where beta is 3/4, as in AlexNet.
fn power(scale: f32) -> f32 {
  #if THREE_QUARTERS
    let root = sqrt(scale);
    return 1.0 / (root * sqrt(root));
  #else
    return pow(scale, -params.beta);
  #end if
}
