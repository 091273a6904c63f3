// strip_first, strip_end: a launch in which a thread takes STRIP elements of n, WG apart, so that
// neighboring threads stay neighbors in memory. A CPU adapter takes several: params are read once
// for all of them, and a thread begins once. Grids past 65,535 workgroups wrap into y
// (src/gpu/kernels/kernel.ts); including files declare params.n.
override WG: u32 = 64;
override STRIP: u32 = 1;

fn strip_first(group: vec3u, thread: u32) -> u32 {
  return (group.y * 65535u + group.x) * (WG * STRIP) + thread;
}

fn strip_end(first: u32) -> u32 {
  return min(first + WG * STRIP, params.n);
}
