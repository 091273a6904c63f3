// logistic: 1 / (1 + e^-x), without a power that overflows
fn logistic(x: vec4f) -> vec4f {
  let power = exp(-abs(x));
  return select(power, vec4f(1.0), x >= vec4f()) / (1.0 + power);
}
