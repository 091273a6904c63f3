// plane_index, plane_element: for a launch whose x counts workgroups along one plane and whose y
// counts planes (image · channel). The one of the two that passes 65,535 continues in z: the planes
// if params.planes, which the including file declares, is larger (planeKernel in
// src/gpu/kernels/kernel.ts). All threads of a workgroup have the same plane, so no thread has to
// divide to find it.
override WG: u32 = 64;

fn plane_index(group: vec3u) -> u32 {
  return select(0u, group.z * 65535u, params.planes > 65535u) + group.y;
}

fn plane_element(group: vec3u, thread: u32) -> u32 {
  return (select(group.z * 65535u, 0u, params.planes > 65535u) + group.x) * WG + thread;
}
