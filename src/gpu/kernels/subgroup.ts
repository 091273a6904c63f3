import type { Gpu } from '../gpu.ts'
import type { Kernel } from './kernel.ts'

/**
 * Whether a workgroup of `lanes` threads is one subgroup with its lanes in order. Both CPU adapters
 * do this, no specification promises it, and the tile kernels stand on it.
 */
export async function subgroupIsWorkgroup(gpu: Gpu, lanes: number): Promise<boolean> {
  const kernel: Kernel = {
    name: 'lib/subgroup_check',
    constants: { LANES: lanes },
    grid: () => [4, 1, 1],
  }
  const out = gpu.allocate(4 * 2 * lanes * 4)
  gpu.run(kernel, { out }, {})
  const [bytes] = await gpu.read([{ storage: out, bytes: 4 * 2 * lanes * 4 }])
  out.release()
  const words = new Uint32Array(bytes ?? new ArrayBuffer(0))
  return (
    words.length > 0 &&
    words.every((word, i) => word === (i % 2 ? Math.floor(i / 2) % lanes : lanes))
  )
}
