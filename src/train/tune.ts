import { crossEntropy } from '../autograd/functions.ts'
import { checkOptions } from '../base/options.ts'
import type { Network } from '../nn/network.ts'
import { type TuningResult, tuneContractions } from '../ops/tuneContractions.ts'
import { sizeOf } from '../tensor/ndbuffer.ts'
import { defaultBatchSize } from './fitOptions.ts'

/** Options of `tune`. */
export interface TuneOptions {
  /** Images in a batch. Default 32. */
  readonly batchSize?: number
  /** Called after each matrix product or convolution: how many are measured, out of how many. */
  readonly onProgress?: (done: number, total: number, result: TuningResult) => void
}

/**
 * Measures which tiling computes each of a network's matrix products and convolutions fastest on
 * this adapter, for one batch size: forward, and backward for what is trainable. A tiling whose
 * numbers do not agree with float64 cannot win. The fastest ones are used from now on, also by
 * every later engine on the same adapter, driver and version: Node stores them in the user's cache
 * folder (GRAFT_CACHE names another).
 * @returns each product and convolution with its tiling before and after, and their milliseconds
 * @throws UsageError if the engine uses only the plain kernels, and for options that do not exist
 * @example
 * const model = await alexnet(engine, { variant: 'torchvision' })
 * const results = await tune(model, { batchSize: 8 })
 * for (const { key, beforeMs, bestMs } of results) console.log(key, beforeMs / bestMs)
 */
export async function tune(model: Network, options: TuneOptions = {}): Promise<TuningResult[]> {
  checkOptions('tune', options, ['batchSize', 'onProgress'])
  const { batchSize = defaultBatchSize, onProgress } = options
  const { engine } = model
  const { size } = model.preprocess
  const shape = [batchSize, 3, size, size]
  const x = engine.tensor(new Float32Array(sizeOf(shape)).fill(0.5), shape)
  const step = () => {
    // A trial: later dropout and statistics are the same as without tuning.
    const logits = model.logits(x, { training: true, trial: true })
    const loss = crossEntropy(logits, new Int32Array(batchSize))
    if (loss.requiresGrad) loss.backward()
    loss.dispose()
  }
  try {
    const results = await tuneContractions(engine.gpu, step, onProgress)
    await engine.gpu.tilings?.keep(Object.fromEntries(results.map(({ key, best }) => [key, best])))
    return results
  } finally {
    x.dispose()
    for (const parameter of model.parameters()) parameter.dropGrad()
  }
}
