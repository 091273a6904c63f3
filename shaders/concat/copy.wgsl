// copy: rows of one array into rows of another
//   to[r, to_first + i] = from[r, from_first + i]   for i < vectors
//   from, to: f32, rows of from_row and to_row vectors
// launch: `chunks` threads share a row (lib/rows.wgsl); workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts
#include "lib/rows.wgsl"

struct Params {
  n: u32, chunks: u32, vectors: u32,
  from_row: u32, from_first: u32, to_row: u32, to_first: u32,
}

@group(0) @binding(0) var<storage, read> source: array<Values>;
@group(0) @binding(1) var<storage, read_write> target_rows: array<Values>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let t = linear_index(group, thread);
  if (t >= params.n) {
    return;
  }
  let row = divide(t, params.chunks);
  let read_at = row * params.from_row + params.from_first;
  let write_at = row * params.to_row + params.to_first;
  for (var i = t - row * params.chunks; i < params.vectors; i += params.chunks) {
    target_rows[write_at + i] = source[read_at + i];
  }
}
