import { KernelError, UsageError } from '../base/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { Storage } from '../gpu/memory/pool.ts'
import { distinct, type Problem, problemKey, type Tiling } from '../gpu/tiling/tiling.ts'
import type { TilingSelector } from '../gpu/tiling/tilingSelector.ts'
import { contract } from './contract.ts'
import { type Contraction, observeContractions, problemOf } from './contraction.ts'
import { type Operands, operandsOf, sampleContraction } from './contractionSample.ts'

/** What tuning found for one contraction. */
export interface TuningResult {
  readonly key: string
  readonly problem: Problem
  /** The tiling that the rule, or an earlier table, gives. */
  readonly before: Tiling
  readonly beforeMs: number
  readonly best: Tiling
  readonly bestMs: number
  /** How many tilings were measured, and how many of them gave wrong numbers or did not compile. */
  readonly tried: number
  readonly wrong: number
}

/** A tiling replaces the one in use only if it takes less than this share of its time. */
const worthwhile = 0.97
/** How often each tiling is measured after its first run. */
const rounds = 5

/**
 * Measures all candidate tilings for each contraction that `body` launches. The best one is the
 * fastest whose results agree with float64 at sampled elements. Contractions of tensors that are
 * bound in parts are not tuned.
 * @param onProgress called after each contraction with how many are measured, and out of how many
 * @throws UsageError if the engine runs the plain kernels only
 * @example
 * const step = () => crossEntropy(model.forward(x, { training: true }), y).backward()
 * const found = await tuneContractions(engine.gpu, step)
 */
export async function tuneContractions(
  gpu: Gpu,
  body: () => void,
  onProgress: (done: number, total: number, result: TuningResult) => void = () => {},
): Promise<TuningResult[]> {
  const { tilings } = gpu
  if (!tilings)
    throw new UsageError('this engine runs the plain kernels only: there is nothing to tune')
  const found = new Map<string, readonly [Contraction, Operands]>()
  const held: Storage[] = []
  const end = observeContractions(gpu, (contraction) => {
    const operands = operandsOf(contraction)
    const key = problemKey(problemOf(contraction))
    if (!operands || found.has(key)) return
    for (const storage of Object.values(operands)) if (storage) held.push(storage.retain())
    found.set(key, [contraction, operands])
  })
  const results: TuningResult[] = []
  try {
    try {
      body()
    } finally {
      end()
    }
    for (const [key, [contraction, operands]] of found) {
      const result = await tuneOne(gpu, tilings, key, contraction, operands)
      results.push(result)
      onProgress(results.length, found.size, result)
    }
  } finally {
    for (const storage of held) storage.release()
  }
  return results
}

async function tuneOne(
  gpu: Gpu,
  tilings: TilingSelector,
  key: string,
  contraction: Contraction,
  operands: Operands,
): Promise<TuningResult> {
  const problem = problemOf(contraction)
  const before = tilings.select(problem)
  const run = (tiling: Tiling) => gpu.withScratch(() => contract(gpu, () => tiling, contraction))
  const sample = await sampleContraction(gpu, contraction, operands)
  const contestants: { readonly tiling: Tiling; readonly times: number[] }[] = []
  let wrong = 0
  let tried = 0
  for (const tiling of distinct([before, ...tilings.candidates(problem)])) {
    tried++
    try {
      await gpu.prepare(() => run(tiling))
      const first = await timed(gpu, () => run(tiling))
      if (await sample.disagrees()) wrong++
      // A tiling whose first run takes twice as long as the fastest so far is not measured again.
      else if (contestants.every(({ times }) => first < 2 * Math.min(...times)))
        contestants.push({ tiling, times: [first] })
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      wrong++ // it needs more shared memory or threads than this adapter has
    }
  }
  for (let round = 0; round < rounds; round++)
    for (const { tiling, times } of contestants) times.push(await timed(gpu, () => run(tiling)))
  const fastest = (times: readonly number[]) => Math.min(...times.slice(1))
  const current = contestants.find(
    ({ tiling }) => JSON.stringify(tiling) === JSON.stringify(before),
  )
  const beforeMs = current ? fastest(current.times) : Number.POSITIVE_INFINITY
  const best = contestants.reduce(
    (a, b) => (fastest(b.times) < fastest(a.times) ? b : a),
    contestants[0] ?? { tiling: before, times: [0, 0] },
  )
  const wins = fastest(best.times) < worthwhile * beforeMs
  return {
    key,
    problem,
    before,
    beforeMs,
    best: wins ? best.tiling : before,
    bestMs: wins ? fastest(best.times) : beforeMs,
    tried,
    wrong,
  }
}

/** Milliseconds on the GPU, or by the clock if the adapter has no timestamps. */
async function timed(gpu: Gpu, body: () => void): Promise<number> {
  if (gpu.device.features.has('timestamp-query')) return gpu.time(body)
  await gpu.settle()
  const start = performance.now()
  body()
  gpu.submit()
  await gpu.device.queue.onSubmittedWorkDone()
  return performance.now() - start
}
