// cross_entropy_forward: the loss of every row and, with GRADIENT, its gradient
//   losses[r] = (1 − smoothing) · (lse_r − logits[r, target_r])
//     + smoothing / classes · Σ_c (lse_r − logits[r, c])
//   with lse_r = log Σ_c exp(logits[r, c])
// With SOFT or WEIGHTED, where share_of is that of cross_entropy/share.wgsl:
//   losses[r] = Σ_c share_of(r, c) · (lse_r − logits[r, c])
// A share of 0 ignores even an infinite logit. With GRADIENT, the gradient of scale · losses[r]:
//   dlogits[r, c] = scale · (exp(logits[r, c] − lse_r) · Σ_k share_of(r, k) − share_of(r, c))
// It needs no second exponential. Without SOFT and WEIGHTED the shares sum to 1.
// If a row has a NaN or an infinite logit, that value is its loss and its whole gradient.
//   logits, dlogits: f32[rows][classes]   targets: i32[rows], with SOFT f32[rows][classes]
//   weight: f32[classes]   losses: f32[rows]
// launch: one thread per row; workgroups are in x, past 65,535 also in y
// checked by test/ops/specifications.test.ts and test/ops/crossEntropy.test.ts
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
  // A NaN or an infinity among the logits. Found by its bits, since max, exp and log may lose it.
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
  // Σ_c (highest − logits[c]), whose terms may be far smaller than the logits. Not used with SOFT
  // or WEIGHTED.
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
    // Masked logits may add up to an infinite `all`. A smoothing of 0 has to ignore it, since
    // 0 · infinity is NaN.
    let loss = (1.0 - params.smoothing) * hit
      + select(0.0, params.smoothing * all, params.smoothing > 0.0);
  #end if
  losses[row] = select(broken, loss, finite);
  #if GRADIENT
    for (var c = 0u; c < params.classes; c++) {
      let d = params.scale * (dlogits[base + c] / sum * shares - share_of(row, c));
      dlogits[base + c] = select(broken, d, finite);
    }
  #end if
}
