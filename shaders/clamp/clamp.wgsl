// clamp: y = low where x < low, high where x > high, else x; NaN stays NaN
// backward: dx = dy where low <= x <= high, else 0, as in PyTorch
// bindings and launch: lib/pointwise.wgsl
// checked by test/ops/specifications.test.ts
#include "lib/pointwise.wgsl"

struct Params { n: u32, low: f32, high: f32 }

fn value(x: vec4f) -> vec4f {
  let low = vec4f(params.low);
  let high = vec4f(params.high);
  return select(select(x, low, x < low), high, x > high);
}

fn gradient(x: vec4f, dy: vec4f) -> vec4f {
  return select(vec4f(), dy, (x >= vec4f(params.low)) & (x <= vec4f(params.high)));
}
