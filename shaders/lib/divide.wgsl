// divide: ⌊n / d⌋. CPUs have no vector instruction for integer division and divide lane by lane. A
// division in float32 is one instruction. It may be off by a few, which the loops correct.
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
