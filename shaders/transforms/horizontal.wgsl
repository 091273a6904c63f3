// resize, horizontal pass
//   half[c, row, x] = Σ_t weight[t, x] · image[row, first[x] + t, c] / 255
//   image: u8[rows][pixels][3], four bytes to a word
//   filters: first: u32[columns], then weight: f32[taps][columns] as bits; first counts from column
//     `start`
//   half: f32[3][half_rows][columns], written from row half_row on
// launch: one thread per column; y, and z past 65,535, count rows, so no thread divides
// checked by test/data/transforms.test.ts
override WG: u32 = 64;

struct Params {
  columns: u32, rows: u32, row_bytes: u32, start: u32, taps: u32, half_row: u32, half_rows: u32,
}

@group(0) @binding(0) var<storage, read> image: array<u32>;
@group(0) @binding(1) var<storage, read> filters: array<u32>;
@group(0) @binding(2) var<storage, read_write> half: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// The three bytes at any address, as 0..1. They are in one word or in two neighboring ones.
fn pixel(byte: u32) -> vec3f {
  let word = byte / 4u;
  let shift = 8u * (byte % 4u);
  // WGSL takes a shift by 32 as a shift by 0, so the shift is done in two steps.
  let bits = (image[word] >> shift) | ((image[word + 1u] << (31u - shift)) << 1u);
  return unpack4x8unorm(bits).xyz;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let x = group.x * WG + thread;
  let row = group.z * 65535u + group.y;
  if (x >= params.columns || row >= params.rows) {
    return;
  }
  var byte = row * params.row_bytes + 3u * (params.start + filters[x]);
  var weight = params.columns + x;
  var sum = vec3f();
  for (var t = 0u; t < params.taps; t++) {
    sum += bitcast<f32>(filters[weight]) * pixel(byte);
    byte += 3u;
    weight += params.columns;
  }
  let plane = params.half_rows * params.columns;
  let y = (params.half_row + row) * params.columns + x;
  half[y] = sum.x;
  half[y + plane] = sum.y;
  half[y + 2u * plane] = sum.z;
}
