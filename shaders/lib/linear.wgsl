// linear_index: the element that a thread computes in a launch with one thread per element. Grids
// past 65,535 workgroups continue in y (elementKernel in src/gpu/kernels/kernel.ts).
override WG: u32 = 64;

fn linear_index(group: vec3u, thread: u32) -> u32 {
  return (group.y * 65535u + group.x) * WG + thread;
}
