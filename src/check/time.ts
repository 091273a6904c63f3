import type { Engine } from '../tensor/tensor.ts'
import type { Subject } from './subject.ts'

/**
 * The GPU time of one kernel in a subject's large case: the least of a few runs, in milliseconds.
 * @param file the kernel's file under shaders/
 * @returns null where the subject has no such case, the kernel takes no part in it, or the adapter
 * has no timestamps
 */
export async function timeKernel(
  engine: Engine,
  { load }: Subject,
  file: string,
  runs = 3,
): Promise<number | null> {
  if (!load) return null
  let least: number | null = null
  for (let run = 0; run < runs; run++) {
    const recorder = engine.record()
    load(engine)
    const { dispatches } = await recorder.finish()
    const own = dispatches.filter(({ kernel }) => kernel === file)
    const times = own.flatMap(({ milliseconds }) => milliseconds ?? [])
    if (own.length === 0 || times.length < own.length) return null
    const sum = times.reduce((a, b) => a + b, 0)
    least = least === null ? sum : Math.min(least, sum)
  }
  return least
}
