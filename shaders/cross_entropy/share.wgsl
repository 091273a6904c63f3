// share_of: weight[c] · q[row, c], the share of class c in a row's loss, with
//   q = (1 − smoothing) · y + smoothing / classes
//   y = targets[row, c] with SOFT, else 1 for the target's class and 0 for others
//   weight = 1 without WEIGHTED
#if SOFT
  @group(0) @binding(1) var<storage, read> targets: array<f32>;
#else
  @group(0) @binding(1) var<storage, read> targets: array<i32>;
#end if
#if WEIGHTED
  @group(0) @binding(6) var<storage, read> weight: array<f32>;
#end if

fn share_of(row: u32, c: u32) -> f32 {
  #if SOFT
    let y = targets[row * params.classes + c];
  #else
    let y = select(0.0, 1.0, c == u32(targets[row]));
  #end if
  let q = (1.0 - params.smoothing) * y + params.smoothing / f32(params.classes);
  #if WEIGHTED
    return weight[c] * q;
  #else
    return q;
  #end if
}
