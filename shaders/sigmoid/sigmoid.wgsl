// sigmoid: y = 1 / (1 + e^-x)
// backward: dx = dy · y · (1 - y)
// bindings and launch: lib/pointwise.wgsl
// checked by test/ops/specifications.test.ts
#include "lib/pointwise.wgsl"
#include "lib/logistic.wgsl"

struct Params { n: u32 }

fn value(x: vec4f) -> vec4f {
  return logistic(x);
}

fn gradient(y: vec4f, dy: vec4f) -> vec4f {
  return dy * y * (1.0 - y);
}
