// divide: ⌊n / d⌋. A CPU adapter has no vector instruction for it and divides lane by lane; in
// float32 it costs one, and is off by a few at most.
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
