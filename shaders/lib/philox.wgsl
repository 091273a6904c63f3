// philox4x32: Philox4x32-10, the counter-based random generator of Salmon et al., "Parallel random
// numbers: as easy as 1, 2, 3" (SC 2011)
// checked by test/ops/dropout.test.ts against src/base/random.ts, which is checked against the
//   authors' known answers

// The high word of a · b: WGSL has no 64-bit product, so it is put together from 16-bit halves.
fn multiply_high(a: u32, b: u32) -> u32 {
  let a_low = a & 0xffffu;
  let a_high = a >> 16u;
  let b_low = b & 0xffffu;
  let b_high = b >> 16u;
  let low = a_low * b_low;
  let middle = a_high * b_low + (low >> 16u);
  let other = a_low * b_high + (middle & 0xffffu);
  return a_high * b_high + (middle >> 16u) + (other >> 16u);
}

fn philox4x32(start: vec4u, start_key: vec2u) -> vec4u {
  var counter = start;
  var key = start_key;
  for (var round = 0u; round < 10u; round++) {
    let high0 = multiply_high(0xd2511f53u, counter.x);
    let high1 = multiply_high(0xcd9e8d57u, counter.z);
    counter = vec4u(
      high1 ^ counter.y ^ key.x,
      0xcd9e8d57u * counter.z,
      high0 ^ counter.w ^ key.y,
      0xd2511f53u * counter.x,
    );
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return counter;
}
