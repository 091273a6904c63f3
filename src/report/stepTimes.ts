import { crossEntropy } from '../autograd/functions.ts'
import { preprocessImages } from '../data/transforms.ts'
import type { RgbImage } from '../host/node/decode.ts'
import { layerTimes } from '../nn/layerTimes.ts'
import type { Network } from '../nn/network.ts'

/** GPU time of one layer in one training step, in milliseconds. */
export interface LayerTime {
  readonly layer: string
  readonly forward: number
  readonly backward: number
  /** Whether its outputs are computed once and kept. */
  readonly once: boolean
}

/** GPU time of a training step, layer by layer, without the optimizer. */
export interface StepTimes {
  /** Images in the step. */
  readonly pictures: number
  readonly layers: readonly LayerTime[]
}

/**
 * Measures one training step with GPU timestamps. Parameters do not change.
 * @returns null where the adapter has no timestamps
 */
export async function measureStep(
  model: Network,
  images: readonly RgbImage[],
  labels: readonly number[],
): Promise<StepTimes | null> {
  const { engine, frozenPrefix } = model
  const step = () => {
    const x = preprocessImages(engine, images, model.preprocess)
    const features = engine.noGrad(() => model.forward(x, { to: frozenPrefix }))
    const logits = model.logits(features, { training: true, trial: true, from: frozenPrefix })
    const loss = crossEntropy(logits, Int32Array.from(labels))
    loss.backward()
    for (const tensor of new Set([x, features, logits, loss])) tensor.dispose()
    for (const parameter of model.parameters()) parameter.dropGrad()
  }
  // The first step compiles the kernels.
  step()
  const recorder = engine.record()
  step()
  const { dispatches, milliseconds } = await recorder.finish()
  if (milliseconds === null) return null
  const once = new Set(model.layers.slice(0, frozenPrefix).map(({ name }) => name))
  const layers = [...layerTimes(dispatches)].map(([layer, { forward, gradient, other }]) => ({
    layer,
    forward,
    backward: gradient + other,
    once: once.has(layer),
  }))
  return { pictures: images.length, layers }
}
