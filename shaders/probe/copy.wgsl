// copy: y = x, to measure how many bytes a device moves: eight per component, read and written
//   x, y: vec4f[n]
// launch: each thread copies COUNT vectors; workgroups are in x, past 65,535 also in y
// checked by test/gpu/kernels/probe.test.ts
override WG: u32 = 64;

struct Params { n: u32 }

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first = (group.y * 65535u + group.x) * #{WG * COUNT}u + thread;
  #repeat c in 0..COUNT
    if (first + #{c * WG}u < params.n) {
      y[first + #{c * WG}u] = x[first + #{c * WG}u];
    }
  #end repeat c
}
