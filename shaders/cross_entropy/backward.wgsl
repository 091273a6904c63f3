// cross_entropy_backward: dlogits[r, c] = g_r · (exp(logits[r, c] - lse_r) - smoothing / classes - (1 - smoothing) · [c = target_r]),
// with SOFT or WEIGHTED g_r · (exp(logits[r, c] - lse_r) · Σ_k share_of(r, k) - share_of(r, c)), see share.wgsl,
// with g_r = dy · scale for a mean or a sum, dy[r] · scale without reduction (per_row = 1)
//   logits, dlogits: f32[rows][classes]   targets: i32[rows], with SOFT f32[rows][classes]   weight: f32[classes]   lse: f32[rows][2], as forward splits it   dy: f32[1] or f32[rows]
// launch: one thread per row; the grid wraps into y past 65,535 groups
// checked by test/ops/crossEntropy.test.ts
#include "lib/linear.wgsl"

struct Params { rows: u32, classes: u32, smoothing: f32, scale: f32, per_row: u32 }

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>;
#include "cross_entropy/share.wgsl"
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = linear_index(group, thread);
  if (row >= params.rows) {
    return;
  }
  let base = row * params.classes;
  let g = dy[row * params.per_row] * params.scale;
  let highest = lse[row * 2u];
  let log_sum = lse[row * 2u + 1u];
  let broken = (bitcast<u32>(highest) & 0x7f800000u) == 0x7f800000u; // then so is the gradient: exp may lose a NaN
#if SOFT || WEIGHTED
  var all = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    all += share_of(row, c);
  }
  for (var c = 0u; c < params.classes; c++) {
    dlogits[base + c] = select(g * (all * exp(logits[base + c] - highest - log_sum) - share_of(row, c)), highest, broken);
  }
#else
  let everywhere = params.smoothing / f32(params.classes);
  for (var c = 0u; c < params.classes; c++) {
    let hit = select(0.0, 1.0 - params.smoothing, c == u32(targets[row]));
    dlogits[base + c] = select(g * (exp(logits[base + c] - highest - log_sum) - everywhere - hit), highest, broken);
  }
#end
}
