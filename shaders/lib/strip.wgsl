// strip_first, strip_end: for a launch in which each thread takes STRIP elements of n, WG apart, so
// that neighboring threads read neighboring elements. On a CPU adapter several elements per thread
// are faster, since starting a thread and reading params cost more than a turn of a loop. Grids of
// more than 65,535 workgroups continue in y (stripKernel in src/gpu/kernels/kernel.ts). The file
// that includes this one declares params.n.
override WG: u32 = 64;
override STRIP: u32 = 1;

fn strip_first(group: vec3u, thread: u32) -> u32 {
  return (group.y * 65535u + group.x) * (WG * STRIP) + thread;
}

fn strip_end(first: u32) -> u32 {
  return min(first + WG * STRIP, params.n);
}
