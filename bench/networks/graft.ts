import { at } from '../../src/base/at.ts'
import { alexnet, crossEntropy, type Engine, SGD, type StateDict } from '../../src/index.ts'
import type { Contestant } from '../contest.ts'
import { Account, MemoryMeter } from '../memory.ts'
import { type Plan, recipe, type Task } from './plan.ts'

/** The weights that all competitors start with. */
export async function initialWeights(engine: Engine, { variant }: Plan): Promise<StateDict> {
  const model = await alexnet(engine, { variant, seed: 1 })
  const weights = await model.stateDict()
  model.dispose()
  engine.gpu.trim()
  return weights
}

/** A step in Graft, until the loss or the logits are on the host. */
export function graftStep(
  engine: Engine,
  { plan: { variant }, training, weights, images, targets }: Task,
): Promise<Contestant> {
  const account = new Account(MemoryMeter.of(engine.gpu.device))
  engine.gpu.trim() // free buffers of earlier rows would not be counted when they are used again
  return account.during(async () => {
    const model = await alexnet(engine, { variant, dropout: 0, weights })
    const x = engine.tensor(images.data, images.shape)
    const optimizer = training ? new SGD(model.parameters(), recipe) : null
    const step = async (): Promise<Float32Array> => {
      if (!optimizer) {
        const y = engine.noGrad(() => model.forward(x))
        const values = await engine.read([y])
        y.dispose()
        return at(values, 0)
      }
      const loss = crossEntropy(model.forward(x, { training: true }), targets)
      const collect = engine.readLater([loss])
      loss.backward()
      optimizer.step()
      optimizer.zeroGrad()
      loss.dispose()
      engine.gpu.submit()
      return at(await collect(), 0)
    }
    return {
      time: () =>
        account.during(async () => {
          const begun = performance.now()
          await step()
          return performance.now() - begun
        }),
      async values() {
        const values = await account.during(step)
        account.restart()
        return values
      },
      peakBytes: () => account.peak,
      dispose() {
        optimizer?.dispose()
        x.dispose()
        model.dispose()
        engine.gpu.trim()
      },
    }
  })
}
