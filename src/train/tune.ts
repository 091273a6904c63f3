import { crossEntropy } from '../autograd/functions.ts'
import { checkOptions } from '../base/options.ts'
import type { Network } from '../nn/network.ts'
import { type TuningResult, tuneContractions } from '../ops/tune.ts'

/** What `tune` is told. */
export interface TuneOptions {
  /** Images of a batch. Default 32. */
  readonly batchSize?: number
  /** Told after each product or convolution how many are measured, out of how many. */
  readonly onProgress?: (done: number, total: number, result: TuningResult) => void
}

/**
 * Measures how this adapter computes a network's products and convolutions fastest, for one size of
 * batch: every tiling of every one of them, forward and, for what is trainable, backward. A tiling
 * whose numbers do not agree with float64 cannot win. What wins is used from now on, and by every
 * later engine on the same adapter, driver and version: Node keeps it in the user's cache folder
 * (GRAFT_CACHE names another).
 * @returns each product and convolution with its tiling before and after, and their milliseconds
 * @throws UsageError where the engine runs the plain kernels alone, and for options that do not
 * exist
 * @example
 * const model = await alexnet(engine, { variant: 'torchvision' })
 * for (const { key, beforeMs, bestMs } of await tune(model, { batchSize: 8 })) console.log(key,
 * beforeMs / bestMs)
 */
export async function tune(model: Network, options: TuneOptions = {}): Promise<TuningResult[]> {
  checkOptions('tune', options, ['batchSize', 'onProgress'])
  const { batchSize = 32, onProgress } = options
  const { engine } = model
  const { size } = model.preprocess
  const x = engine.tensor(new Float32Array(batchSize * 3 * size * size).fill(0.5), [
    batchSize,
    3,
    size,
    size,
  ])
  const { passes } = model
  const step = () => {
    const loss = crossEntropy(model.logits(x, { training: true }), new Int32Array(batchSize))
    if (loss.requiresGrad) loss.backward()
    loss.dispose()
  }
  try {
    const results = await tuneContractions(engine.gpu, step, onProgress)
    await engine.gpu.tilings?.keep(Object.fromEntries(results.map(({ key, best }) => [key, best])))
    return results
  } finally {
    model.passes = passes // the dropout of the training to come is what it would have been
    x.dispose()
    for (const parameter of model.parameters()) parameter.dropGrad()
  }
}
