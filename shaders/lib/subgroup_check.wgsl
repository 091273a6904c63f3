// subgroup_check: every thread writes the size of its subgroup and its lane, to find out whether a
// workgroup is one subgroup
//   out: u32[4 workgroups][LANES][2]
// launch: 4 workgroups of LANES threads
// checked by test/gpu/gpu.test.ts
enable subgroups;
override LANES: u32;

@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_size) size: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let i = (group.x * LANES + thread) * 2u;
  out[i] = size;
  out[i + 1u] = lane;
}
