// cross_entropy_forward: with lse_r = log Σ_c exp(logits[r, c]),
//   losses[r] = (1 − smoothing) · (lse_r − logits[r, target_r])
//     + smoothing / classes · Σ_c (lse_r − logits[r, c])
//   with SOFT or WEIGHTED: losses[r] = Σ_c share_of(r, c) · (lse_r − logits[r, c]), see share.wgsl.
//     A
//     share of 0 ignores even an infinite logit.
//   with GRADIENT, the gradient of scale · losses[r] too, which needs no second exponential:
//     dlogits[r, c] = scale · (exp(logits[r, c] − lse_r) · Σ_k share_of(r, k) − share_of(r, c));
//     the shares sum to 1 without SOFT and WEIGHTED
// A row with a NaN or an infinite logit has that value as its loss and as its whole gradient.
//   logits, dlogits: f32[rows][classes]   targets: i32[rows], with SOFT f32[rows][classes]
//   weight: f32[classes]   losses: f32[rows]
// launch: one thread per row; x, and y after 65,535, count workgroups
// checked by test/ops/crossEntropy.test.ts
#include "lib/linear.wgsl"

struct Params { rows: u32, classes: u32, smoothing: f32, scale: f32 }

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
#if GRADIENT
  @group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;
#end if
#include "cross_entropy/share.wgsl"
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = linear_index(group, thread);
  if (row >= params.rows) {
    return;
  }
  let base = row * params.classes;
  var highest = logits[base];
  // a NaN or an infinity among the logits: found by its bits, since max, exp and log may lose it
  var broken = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    let value = logits[base + c];
    let bits = bitcast<u32>(value);
    if (bits == 0x7f800000u || (bits & 0x7fffffffu) > 0x7f800000u) {
      broken = value;
    }
    highest = max(highest, value);
  }
  if (bitcast<u32>(highest) == 0xff800000u) { // every class ruled out
    broken = highest;
  }
  let finite = bitcast<u32>(broken) == 0u;
  var sum = 0.0;
  // Σ_c (highest - logits[c]): far smaller numbers than the logits themselves; unused with SOFT or
  // WEIGHTED
  var distances = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    let below = logits[base + c] - highest;
    let e = exp(below);
    sum += e;
    distances -= below;
    #if GRADIENT
      dlogits[base + c] = e;
    #end if
  }
  let log_sum = log(sum);
  #if SOFT || WEIGHTED
    var loss = 0.0;
    var shares = 0.0;
    for (var c = 0u; c < params.classes; c++) {
      let share = share_of(row, c);
      shares += share;
      if (share != 0.0) {
        loss += share * (highest - logits[base + c] + log_sum);
      }
    }
  #else
    let shares = 1.0;
    let hit = highest - logits[base + u32(targets[row])] + log_sum;
    let all = distances / f32(params.classes) + log_sum;
    // Masked logits may add up to an infinite `all`, which a smoothing of 0 has to ignore: 0 ·
    // infinity is NaN.
    let loss = (1.0 - params.smoothing) * hit + select(0.0, params.smoothing * all, params.smoothing > 0.0);
  #end if
  losses[row] = select(broken, loss, finite);
  #if GRADIENT
    for (var c = 0u; c < params.classes; c++) {
      dlogits[base + c] = select(broken, params.scale * (dlogits[base + c] / sum * shares - share_of(row, c)), finite);
    }
  #end if
}
