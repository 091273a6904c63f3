import { at } from '../../base/at.ts'
import type { Gpu } from '../gpu.ts'
import type { Kernel } from './kernel.ts'

/**
 * Whether a workgroup of `lanes` threads is one subgroup with its lanes in order. It is so on both
 * CPU adapters, but no specification promises it, and the tile kernels rely on it.
 */
export async function subgroupIsWorkgroup(gpu: Gpu, lanes: number): Promise<boolean> {
  const workgroups = 4
  const kernel: Kernel = {
    name: 'lib/subgroup_check',
    constants: { LANES: lanes },
    grid: () => [workgroups, 1, 1],
  }
  const bytes = workgroups * lanes * 2 * 4 // each thread writes its subgroup's size and its lane
  const out = gpu.allocate(bytes)
  gpu.run(kernel, { out }, {})
  const copies = await gpu.read([{ storage: out, bytes }])
  out.release()
  return new Uint32Array(at(copies, 0)).every(
    (word, i) => word === (i % 2 ? Math.floor(i / 2) % lanes : lanes),
  )
}
