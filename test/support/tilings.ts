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
 * split into is another matter. A CPU adapter takes many seconds to compile blocks whose steps are
 * all written out: there they are a loop of the same source.
 */
export function everyTiling({ kind, lanes }: TilingSelector): [string, Tiling][] {
  const all = [new TilingSelector('lavapipe', lanes), new TilingSelector('hardware', lanes)]
    .flatMap((tilings) => tilings.candidates(largeProblem))
    .map((one) => (kind === 'hardware' || one.kernel === 'tile' ? one : { ...one, steps: 1 }))
  return [...new Map(all.map((tiling) => [nameOf(tiling), tiling]))]
}

/**
 * The tilings for tests that need several kernels of each: on a CPU adapter, of the blocks only the
 * one that such adapters may run. The others differ from it in constants alone.
 */
export function thoroughTilings(tilings: TilingSelector): [string, Tiling][] {
  const cpuBlock = new TilingSelector('lavapipe', null).rule(largeProblem)
  return everyTiling(tilings).filter(
    ([name, { kernel }]) =>
      tilings.kind === 'hardware' || kernel === 'tile' || name === nameOf(cpuBlock),
  )
}

function nameOf(tiling: Tiling): string {
  const { kernel, rows, columns } = tiling
  return tiling.kernel === 'tile'
    ? `${kernel} of ${rows} x ${columns}, ${tiling.steps} steps`
    : `${kernel} of ${rows} x ${columns}, ${tiling.depth} steps, ${tiling.threadRows} x ${tiling.threadColumns} a thread`
}
