// linear_index: the element of a launch with one thread per element; grids past 65,535 workgroups
// wrap into y (src/gpu/kernels/kernel.ts)
override WG: u32 = 64;

fn linear_index(group: vec3u, thread: u32) -> u32 {
  return (group.y * 65535u + group.x) * WG + thread;
}
