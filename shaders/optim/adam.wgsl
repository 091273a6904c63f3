// adam: step t = 1, 2, … for a parameter p with gradient g (Kingma & Ba 2015, arXiv:1412.6980, as
// PyTorch computes it)
//   g ← g + decay · p      or, with DECOUPLED, p ← shrink · p   (AdamW, arXiv:1711.05101)
//   m ← β1 · m + (1 − β1) · g
//   v ← β2 · v + (1 − β2) · g²
//   p ← p − rate · m / (√v / root + eps)
//   with shrink = 1 − lr · decay, rate = lr / (1 − β1ᵗ), root = √(1 − β2ᵗ)
// decay is the weight decay. shrink, rate and root are computed in float64 before the launch. m and
// v start as 0.
//   p, g, m, v: f32[n] as vec4f; the last vector may end in padding
//   guard: f32[1], only with GUARD: if it is not 0, nothing changes
// launch: each thread takes STRIP vectors; workgroups are in x, past 65,535 also in y
// checked by test/optim/optimizers.test.ts
#include "lib/strip.wgsl"

struct Params {
  n: u32, rate: f32, decay: f32, shrink: f32,
  beta1: f32, one_minus_beta1: f32, beta2: f32, one_minus_beta2: f32,
  root: f32, eps: f32,
}

@group(0) @binding(0) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4f>;
#include "optim/guard.wgsl"
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (held_back()) {
    return;
  }
  let first = strip_first(group, thread);
  let end = strip_end(first);
  let held = params; // read once, not in every turn
  for (var i = first; i < end; i += WG) {
    #if DECOUPLED
      let start = held.shrink * p[i];
      let d = g[i];
    #else
      let start = p[i];
      let d = g[i] + held.decay * start;
    #end if
    let mean = held.beta1 * m[i] + held.one_minus_beta1 * d;
    let square = held.beta2 * v[i] + held.one_minus_beta2 * d * d;
    m[i] = mean;
    v[i] = square;
    p[i] = start - held.rate * mean / (sqrt(square) / held.root + held.eps);
  }
}
