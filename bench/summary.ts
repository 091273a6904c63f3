import type { Row } from './results.ts'
import { geometricMean } from './statistics.ts'

/** The main figures. A figure is null if its rows were left out or failed. */
export interface Summary {
  readonly minRatio: number | null
  readonly geomeanRatio: number | null
  /** Share of the limit that the product of two 1024x1024 matrices reaches. */
  readonly gemmShare: number | null
  readonly trainStepRatio: {
    readonly torchvision: number | null
    readonly alexnet64: number | null
  }
  /** Graft's peak bytes of a training step over tfjs's, the worse of the two networks. */
  readonly memoryRatio: number | null
  /** Time of a frozen epoch that decodes its images, over one that reads stored features. */
  readonly cacheSpeedup: number | null
  /**
   * From the start of the process to the end of the first training step of alexnet-64, with the
   * driver's cache of shaders empty.
   */
  readonly coldStartMs: number | null
  /** The same, once the driver has the shaders. */
  readonly warmStartMs: number | null
}

export function summarize(rows: readonly Row[]): Summary {
  const find = (name: string, pass: string) =>
    rows.find((row) => row.name === name && row.pass === pass)
  const ratios = rows.flatMap(({ ratio }) => (ratio === null ? [] : [ratio]))
  const memory = rows.flatMap(({ pass, graft, tfjs_webgpu: tfjs }) =>
    pass === 'training step' && graft.peakBytes && tfjs?.peakBytes
      ? [graft.peakBytes / tfjs.peakBytes]
      : [],
  )
  const [recomputed, cached] = [
    find('frozen epoch', 'recomputed')?.graft.ms,
    find('frozen epoch', 'cached')?.graft.ms,
  ]
  return {
    minRatio: ratios.length ? Math.min(...ratios) : null,
    geomeanRatio: ratios.length ? geometricMean(ratios) : null,
    gemmShare: find('GEMM 1024', 'product')?.graft.share ?? null,
    trainStepRatio: {
      torchvision: find('torchvision', 'training step')?.ratio ?? null,
      alexnet64: find('alexnet-64', 'training step')?.ratio ?? null,
    },
    memoryRatio: memory.length ? Math.max(...memory) : null,
    cacheSpeedup: recomputed && cached ? recomputed / cached : null,
    coldStartMs: find('first step', 'cold')?.graft.ms ?? null,
    warmStartMs: find('first step', 'warm')?.graft.ms ?? null,
  }
}
