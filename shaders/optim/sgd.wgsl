// sgd: a step for a parameter p with gradient g
//   d = g + decay · p
//   without MOMENTUM: p ← p − lr · d
//   with MOMENTUM:    v ← momentum · v + d,   p ← p − lr · v
//   with NESTEROV:    v ← momentum · v + d,   p ← p − lr · (d + momentum · v)
// v starts as 0, so it is d after the first step, as in PyTorch (Sutskever et al. 2013, "On the
// importance of initialization and momentum in deep learning").
//   p, g, momentum (v): f32[n] as vec4f; the last vector may end in padding
//   guard: f32[1], only with GUARD: if it is not 0, nothing changes
// launch: each thread takes STRIP vectors; workgroups are in x, past 65,535 also in y
// checked by test/optim/optimizers.test.ts
#include "lib/strip.wgsl"

struct Params { n: u32, lr: f32, decay: f32, momentum: f32 }

@group(0) @binding(0) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
#if MOMENTUM
  @group(0) @binding(2) var<storage, read_write> momentum: array<vec4f>;
#end if
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
    let d = g[i] + held.decay * p[i];
    #if MOMENTUM
      let next = held.momentum * momentum[i] + d;
      momentum[i] = next;
      #if NESTEROV
        p[i] -= held.lr * (d + held.momentum * next);
      #else
        p[i] -= held.lr * next;
      #end if
    #else
      p[i] -= held.lr * d;
    #end if
  }
}
