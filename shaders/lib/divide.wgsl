// divide: ⌊n / d⌋. CPUs have no vector instruction for integer division and divide lane by lane. In
// float32 it is one instruction, and the result is off by a few at most, which the loops correct.
fn divide(n: u32, d: u32) -> u32 {
  var quotient = u32(f32(n) / f32(d));
  while (quotient * d > n) {
    quotient--;
  }
  while (n - quotient * d >= d) {
    quotient++;
  }
  return quotient;
}
