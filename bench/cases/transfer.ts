import {
  type ArrayDataset,
  alexnet,
  applyScenario,
  type EpochResult,
  fit,
} from '../../src/index.ts'
import type { Case, Contestant } from '../contest.ts'
import { alexnet64, costOf } from '../networks/plan.ts'
import { median } from '../statistics.ts'
import type { Peers } from './common.ts'

const batchSize = 32
/** How many values alexnet-64's frozen layers give for an image. */
const features = 864

/**
 * An epoch with its validation, of a new layer on alexnet-64's frozen ones: once with images that
 * are decoded and pass the frozen layers, once with stored features. Each is the other's check:
 * their losses must be the same.
 */
export function frozenEpochCases(data: ArrayDataset, { engine }: Peers): Case[] {
  const train = async (cache: boolean, epochs: number): Promise<readonly EpochResult[]> => {
    const model = await alexnet(engine, { weights: 'alexnet-64-tinyimagenet100' })
    try {
      applyScenario(model, {
        scenario: 'small-similar',
        classes: data.classes.length,
        replace: 'all',
        seed: 1,
      })
      return (await fit(model, data, { epochs, batchSize, cache, seed: 1 })).epochs
    } finally {
      model.dispose()
      engine.gpu.trim()
    }
  }
  const losses = async (cache: boolean) =>
    (await train(cache, 2)).flatMap(({ trainLoss, valLoss }) => [trainLoss, valLoss])
  const images = data.train.length + data.val.length
  const frozen = costOf(alexnet64, images, false)
  // forward, weight gradient; forward
  const trained = 2 * features * data.classes.length * (2 * data.train.length + data.val.length)
  return [false, true].map((cache): Case => {
    const graft = async (): Promise<Contestant> => ({
      // Several epochs that use the store are timed; filling it is not part of them.
      time: async () =>
        1000 * median((await train(cache, cache ? 5 : 1)).map(({ seconds }) => seconds)),
      values: async () => Float32Array.from(await losses(cache)),
      dispose() {},
    })
    return {
      name: 'frozen epoch',
      pass: cache ? 'cached' : 'recomputed',
      shape: `alexnet-64, ${images} emoji, batch ${batchSize}`,
      family: 'transfer',
      flops: trained + (cache ? 0 : frozen.flops),
      bytes: cache ? 4 * features * images : frozen.bytes,
      expected: async () =>
        (await losses(!cache)).map((value, index) => ({ index, value, tolerance: 1e-4 * value })),
      contestants: { graft },
    }
  })
}
