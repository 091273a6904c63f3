// clip: the norm of all gradients, and the factor of torch.nn.utils.clip_grad_norm_
//   norm[0] = √Σ_i sums[i]
//   norm[1] = min(limit / (norm[0] + 1e-6), 1)
// A norm that is not finite keeps its bits in norm[0], and the factor is then 0. The bits are
// tested, since `min` may lose a NaN.
//   sums: f32[n]   norm: f32[2]
// launch: one thread
// checked by test/optim/clip.test.ts
override WG: u32 = 1;

struct Params { n: u32, limit: f32 }

@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> norm: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main() {
  var total = 0.0;
  for (var i = 0u; i < params.n; i++) {
    total += sums[i];
  }
  let broken = (bitcast<u32>(total) & 0x7f800000u) == 0x7f800000u;
  let length = sqrt(select(total, 0.0, broken));
  norm[0] = select(length, total, broken);
  norm[1] = select(min(params.limit / (length + 1e-6), 1.0), 0.0, broken);
}
