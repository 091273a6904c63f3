import { softmax } from '../autograd/functions.ts'
import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import type { ImageDataset, Sample } from '../data/dataset.ts'
import { type DecodedSample, decodeAhead, decoding } from '../data/loader.ts'
import { preprocessImages } from '../data/transforms.ts'
import type { Network } from '../nn/network.ts'
import { grouped } from './batches.ts'
import { brokenImages, checkClasses } from './evaluate.ts'
import type { OnEvent } from './events.ts'
import { defaultBatchSize } from './fitOptions.ts'

/** A network's prediction for one labeled image. */
export interface Outcome {
  readonly sample: Sample
  /** One for each class; they sum to 1. */
  readonly probabilities: Float32Array
}

/** The most likely class; of equals the first. */
export function predictedOf({ probabilities }: Outcome): number {
  return probabilities.indexOf(Math.max(...probabilities))
}

/**
 * Runs a network over the validation images and returns its prediction for each.
 * @throws ShapeError when the network's number of outputs is not the dataset's number of classes
 * @throws DataError when no image can be decoded
 * @example const outcomes = await outcomesOf(model, data)
 */
export async function outcomesOf(
  model: Network,
  data: ImageDataset,
  options: { readonly onEvent?: OnEvent; readonly signal?: AbortSignal | undefined } = {},
): Promise<Outcome[]> {
  checkClasses(model, data)
  const { onEvent, signal } = options
  const { val } = data
  const outcomes: Outcome[] = []
  const order = Array.from({ length: val.length }, (_, i) => i)
  const onBroken = brokenImages('val', onEvent, false)
  const reading = { ...decoding(model.engine), onBroken, ...(signal ? { signal } : {}) }
  for await (const group of grouped(decodeAhead(val, order, reading), defaultBatchSize)) {
    const rows = await softmaxRows(model, group)
    for (const [i, { sample, index }] of group.entries()) {
      outcomes.push({ sample, probabilities: at(rows, i) })
      onEvent?.({ type: 'read', split: 'val', done: index + 1, total: val.length })
    }
  }
  if (outcomes.length === 0)
    throw new DataError(`none of the ${val.length} val images of ${data.root} can be decoded`)
  return outcomes
}

async function softmaxRows(
  model: Network,
  group: readonly DecodedSample[],
): Promise<Float32Array[]> {
  const { engine } = model
  const images = group.map(({ image }) => image)
  const x = preprocessImages(engine, images, model.preprocess)
  const [logits, y] = engine.noGrad(() => {
    const logits = model.logits(x)
    return [logits, softmax(logits)] as const
  })
  try {
    const values = await y.data()
    const classes = values.length / group.length
    return group.map((_, i) => values.slice(i * classes, (i + 1) * classes))
  } finally {
    for (const tensor of [x, logits, y]) tensor.dispose()
  }
}
