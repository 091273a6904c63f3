import { chains, copyVectors, multiplyAdd } from '../gpu/kernels/probes.ts'
import type { Engine } from '../tensor/tensor.ts'

/** What the device does at the most: the roof of a roofline chart. */
export interface Peak {
  /** 10^9 floating-point operations a second; a multiply-add counts two. */
  readonly gflops: number
  /** 10^9 bytes a second, read and written. */
  readonly gbps: number
}

const STEPS = 4096
const copied = 32 * 2 ** 20
/** Milliseconds that one measurement takes at the least, so that a launch's cost weighs little. */
const enough = 8

/**
 * Measures both limits: the best of a few runs, after as much work as it takes to last some
 * milliseconds.
 * @returns null where the adapter has no timestamps
 */
export async function measurePeak({ gpu }: Engine, runs = 3): Promise<Peak | null> {
  if (!gpu.device.features.has('timestamp-query')) return null
  let threads = 1 << 13
  const add = (): Promise<number> => {
    const y = gpu.allocate(4 * threads)
    return gpu
      .time(() => gpu.run(multiplyAdd, { y }, { n: threads }, { STEPS }))
      .finally(() => y.release())
  }
  while ((await add()) < enough && threads < 1 << 22) threads *= 2
  const x = gpu.upload(new Uint8Array(copied)) // written, so that its pages exist
  const y = gpu.allocate(copied)
  try {
    let [adds, copies] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
    for (let run = 0; run <= runs; run++) {
      adds = Math.min(adds, await add())
      copies = Math.min(
        copies,
        await gpu.time(() => gpu.run(copyVectors, { x, y }, { n: copied / 16 })),
      )
    }
    return {
      gflops: (2 * chains * STEPS * threads) / adds / 1e6,
      gbps: (2 * copied) / copies / 1e6,
    }
  } finally {
    for (const storage of [x, y]) storage.release()
    gpu.trim()
  }
}

/** The least time in milliseconds that a cost could take, by the roofline. */
export function rooflineMilliseconds(
  { flops, bytes }: { readonly flops: number; readonly bytes: number },
  { gflops, gbps }: Peak,
): number {
  return Math.max(flops / gflops, bytes / gbps) / 1e6
}
