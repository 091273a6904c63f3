import { adaptiveAvgPool2d } from '../autograd/functions.ts'
import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import type { Sample, SampleList } from '../data/dataset.ts'
import { type DecodedSample, decodeAhead, decoding } from '../data/loader.ts'
import { preprocessImages } from '../data/transforms.ts'
import type { RgbImage } from '../host/host.ts'
import { Conv2d, Linear, ReLU } from '../nn/layers.ts'
import type { Network } from '../nn/network.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { grouped } from './batches.ts'
import { defaultBatchSize } from './fitOptions.ts'

/** What a network makes of an image. */
export interface Reading {
  readonly logits: Float32Array
  /** What the last FC layer reads: where the image lies among all others. */
  readonly features: Float32Array
  /** The mean of every channel of every convolution, after its ReLU. */
  readonly look: Float32Array
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
  const x = preprocessImages(model.engine, [...images], model.preprocess)
  return readRows(model, x).finally(() => x.dispose())
}

/**
 * The readings of a batch of preprocessed images.
 * @param x [N, 3, size, size]
 */
export async function readRows(model: Network, x: Tensor): Promise<Reading[]> {
  const { engine, layers } = model
  const last = layers.findLastIndex((layer) => layer instanceof Linear)
  if (last < 0) throw new DataError('the network has no FC layer whose input could be read')
  // A ReLU belongs to the convolution before it.
  const ends = layers
    .map((layer, i) => (layer instanceof Conv2d ? i + (layers[i + 1] instanceof ReLU ? 2 : 1) : 0))
    .filter((end) => end > 0 && end <= last)
  const own: Tensor[] = []
  const kept = (tensor: Tensor) => {
    own.push(tensor)
    return tensor
  }
  try {
    const outputs = engine.noGrad(() => {
      let [here, from] = [x, 0]
      const means = ends.map((to) => {
        here = kept(model.forward(here, { from, to }))
        from = to
        return kept(adaptiveAvgPool2d(here, [1, 1]))
      })
      const features = kept(model.forward(here, { from, to: last }))
      return [kept(model.logits(features, { from: last })), features, ...means] as const
    })
    const [logits, features, ...means] = await engine.read([...outputs])
    const [count = 0] = x.shape
    const row = (values: Float32Array | undefined, i: number) => {
      const all = values ?? new Float32Array()
      const width = all.length / count
      return all.slice(i * width, (i + 1) * width)
    }
    return Array.from({ length: count }, (_, i) => ({
      logits: row(logits, i),
      features: row(features, i),
      look: Float32Array.from(means.flatMap((mean) => [...directionOf(row(mean, i))])),
    }))
  } finally {
    for (const tensor of own) tensor.dispose()
  }
}

/** A row of length 1, so that all convolutions count alike. */
function directionOf(values: Float32Array): Float32Array {
  const length = Math.hypot(...values)
  return length === 0 ? values : values.map((value) => value / length)
}
