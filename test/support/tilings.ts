import type { Problem, Tiling } from '../../src/gpu/tiling/tiling.ts'
import { TilingSelector } from '../../src/gpu/tiling/tilingSelector.ts'

/** A contraction large enough for every tiling to be worth measuring. */
export const largeProblem: Problem = {
  planes: 1,
  rows: 256,
  columns: 4096,
  depth: 4096,
  interleaved: 'none',
  mostSplits: 1,
}

/**
 * Every tiling that the tuner may choose on any adapter, by name; the number of parts a sum is
 * split into is another matter.
 */
export function everyTiling(lanes: number | null): [string, Tiling][] {
  const all = [
    new TilingSelector('lavapipe', lanes),
    new TilingSelector('hardware', lanes),
  ].flatMap((tilings) => tilings.candidates(largeProblem))
  return [...new Map(all.map((tiling) => [nameOf(tiling), tiling]))]
}

function nameOf(tiling: Tiling): string {
  const { kernel, rows, columns } = tiling
  return tiling.kernel === 'tile'
    ? `${kernel} of ${rows} x ${columns}, ${tiling.steps} steps`
    : `${kernel} of ${rows} x ${columns}, ${tiling.depth} steps, ${tiling.threadRows} x ${tiling.threadColumns} a thread`
}
