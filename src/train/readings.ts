import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import type { Sample, SampleList } from '../data/dataset.ts'
import { type DecodedSample, decodeAhead, decoding } from '../data/loader.ts'
import { preprocessImages } from '../data/transforms.ts'
import type { RgbImage } from '../host/host.ts'
import { Linear } from '../nn/layers.ts'
import type { Network } from '../nn/network.ts'
import { grouped } from './batches.ts'
import { defaultBatchSize } from './fitOptions.ts'

/** What a network makes of an image. */
export interface Reading {
  readonly logits: Float32Array
  /** What the last FC layer reads: where the image lies among all others. */
  readonly features: Float32Array
}

/** A reading of a labeled image. */
export interface LabeledReading extends Reading {
  readonly sample: Sample
}

/**
 * Runs a network over labeled images.
 * @param options.onBroken called for each image that cannot be decoded; it is left out
 * @param options.onRead called with the number of images so far
 * @example const heldOut = await readingsOf(model, data.val)
 */
export async function readingsOf(
  model: Network,
  samples: SampleList,
  options: {
    readonly onBroken?: (sample: Sample, error: DataError) => void
    readonly onRead?: (done: number) => void
    readonly signal?: AbortSignal
  } = {},
): Promise<LabeledReading[]> {
  const { onBroken = () => {}, onRead, signal } = options
  const order = Array.from({ length: samples.length }, (_, i) => i)
  const reading = { ...decoding(model.engine), onBroken, ...(signal ? { signal } : {}) }
  const readings: LabeledReading[] = []
  for await (const group of grouped(decodeAhead(samples, order, reading), defaultBatchSize)) {
    const images = group.map(({ image }: DecodedSample) => image)
    for (const [i, one] of (await readImages(model, images)).entries())
      readings.push({ ...one, sample: at(group, i).sample })
    onRead?.(readings.length)
  }
  return readings
}

/** The readings of one batch of decoded images. */
export async function readImages(model: Network, images: readonly RgbImage[]): Promise<Reading[]> {
  const { engine, layers } = model
  const last = layers.findLastIndex((layer) => layer instanceof Linear)
  if (last < 0) throw new DataError('the network has no FC layer whose input could be read')
  const x = preprocessImages(engine, [...images], model.preprocess)
  const [features, logits] = engine.noGrad(() => {
    const features = model.forward(x, { to: last })
    return [features, model.logits(features, { from: last })] as const
  })
  try {
    const [rows, outputs] = await engine.read([features, logits])
    const row = (values: Float32Array | undefined, i: number) => {
      const all = values ?? new Float32Array()
      const width = all.length / images.length
      return all.slice(i * width, (i + 1) * width)
    }
    return images.map((_, i) => ({ logits: row(outputs, i), features: row(rows, i) }))
  } finally {
    for (const tensor of [x, features, logits]) tensor.dispose()
  }
}
