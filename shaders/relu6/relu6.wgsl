// relu6: y = min(max(x, 0), 6); NaN stays NaN
// backward: dx = dy where 0 < y < 6, else 0, as in PyTorch
// bindings and launch: lib/pointwise.wgsl
// checked by test/ops/specifications.test.ts
#include "lib/pointwise.wgsl"

struct Params { n: u32 }

fn value(x: vec4f) -> vec4f {
  return select(select(x, vec4f(), x < vec4f()), vec4f(6.0), x > vec4f(6.0));
}

fn gradient(y: vec4f, dy: vec4f) -> vec4f {
  return select(dy, vec4f(), (y <= vec4f()) | (y >= vec4f(6.0)));
}
