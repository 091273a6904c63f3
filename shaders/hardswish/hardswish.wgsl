// hardswish: y = x · min(max(x + 3, 0), 6) / 6
// backward: dx = 0 where x <= -3, dy where x >= 3, else dy · (x / 3 + 1 / 2)
// bindings and launch: lib/pointwise.wgsl
// checked by test/ops/specifications.test.ts
#include "lib/pointwise.wgsl"

struct Params { n: u32 }

fn value(x: vec4f) -> vec4f {
  let gate = x + 3.0;
  let open = select(select(gate, vec4f(), gate < vec4f()), vec4f(6.0), gate > vec4f(6.0));
  return x * (open / 6.0);
}

fn gradient(x: vec4f, dy: vec4f) -> vec4f {
  let inside = select(dy * (x / 3.0 + 0.5), dy, x >= vec4f(3.0));
  return select(inside, vec4f(), x <= vec4f(-3.0));
}
