import { elementKernel, type Kernel, linearGrid } from '../src/gpu/kernel.ts'
import type { Engine } from '../src/index.ts'
import { median } from './contest.ts'

const multiplyAdd = elementKernel<'n'>('probe/multiply_add', (p) => p.n)
const copy: Kernel = {
  name: 'probe/copy',
  constants: { WG: 64, COUNT: 16 },
  grid: ({ n = 0 }, { WG = 64, COUNT = 1 }) => linearGrid(Math.ceil(n / COUNT), WG),
}

/** What the device does at the most. */
export interface Peak {
  /** Multiply-adds, each counted as two operations, in 10^9 a second. */
  readonly gflops: number
  /** Bytes read and written by a copy of 64 MiB, in 10^9 a second. */
  readonly gbps: number
}

/** Measures both limits now. A CPU's clock drifts: measure often, and take the median. */
export async function measurePeak({ gpu, info }: Engine, runs = 5): Promise<Peak> {
  const hardware = info.kind === 'hardware'
  const [threads, steps] = hardware ? [1 << 20, 8192] : [1 << 13, 4096]
  const bytes = 64 * 2 ** 20
  const sums = gpu.allocate(4 * threads)
  const [x, y] = [gpu.allocate(bytes), gpu.allocate(bytes)]
  const [adds, copies]: [number[], number[]] = [[], []]
  for (let run = 0; run <= runs; run++) {
    const add = await gpu.time(() => gpu.run(multiplyAdd, { y: sums }, { n: threads }, { STEPS: steps }))
    const move = await gpu.time(() => gpu.run(copy, { x, y }, { n: bytes / 16 }))
    if (run === 0) continue // the first one compiles
    adds.push((2 * 12 * threads * steps) / add / 1e6)
    copies.push((2 * bytes) / move / 1e6)
  }
  for (const storage of [sums, x, y]) storage.release()
  gpu.trim()
  return { gflops: median(adds), gbps: median(copies) }
}
