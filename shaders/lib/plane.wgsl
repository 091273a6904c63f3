// plane_index, plane_element: a launch with workgroups along one plane in x and planes (image ·
// channel) in y. Whichever passes 65,535 wraps into z (src/gpu/kernels/kernel.ts); including files
// declare params.planes, which says which. The plane is uniform over a workgroup, so nothing
// divides by it lane by lane.
override WG: u32 = 64;

fn plane_index(group: vec3u) -> u32 {
  return select(0u, group.z * 65535u, params.planes > 65535u) + group.y;
}

fn plane_element(group: vec3u, thread: u32) -> u32 {
  return (select(group.z * 65535u, 0u, params.planes > 65535u) + group.x) * WG + thread;
}
