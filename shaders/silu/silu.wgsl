// silu: y = x · s, s = 1 / (1 + e^-x)
// backward: dx = dy · s · (1 + x · (1 - s))
// bindings and launch: lib/pointwise.wgsl
// checked by test/ops/specifications.test.ts
#include "lib/pointwise.wgsl"
#include "lib/logistic.wgsl"

struct Params { n: u32 }

fn value(x: vec4f) -> vec4f {
  return x * logistic(x);
}

fn gradient(x: vec4f, dy: vec4f) -> vec4f {
  let s = logistic(x);
  return dy * s * (1.0 + x * (1.0 - s));
}
