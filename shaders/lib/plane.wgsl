// plane_index, plane_element: a launch with workgroups along one plane in x, and planes (image · channel) in y, wrapping into z past
// 65,535 (src/gpu/kernel.ts). The plane is uniform over a workgroup, so nothing divides by it lane by lane.
override WG: u32 = 64;

fn plane_index(group: vec3u) -> u32 {
  return group.z * 65535u + group.y;
}

fn plane_element(group: vec3u, thread: u32) -> u32 {
  return group.x * WG + thread;
}
