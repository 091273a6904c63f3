import { checkOptions } from '../base/options.ts'
import type { ImageDataset, SampleList } from '../data/dataset.ts'
import { Linear } from '../nn/layers.ts'
import type { Network } from '../nn/network.ts'
import { checkClasses } from './evaluate.ts'
import { type LabeledReading, readingsOf } from './readings.ts'
import { type Trust, trustOf } from './trust.ts'

/** Images of each part that are read, at most. */
const most = 400

/** Options of `learnTrust`. */
export interface LearnTrustOptions {
  /** Called with the number of images read so far. */
  readonly onRead?: (done: number, total: number) => void
  readonly signal?: AbortSignal
}

/**
 * Learns what images of a trained network's classes look like, so that `predict` can say that an
 * image is of none of them. It reads up to 400 images of each part of the dataset, and changes
 * nothing in the network.
 * @returns null where there are fewer than 19 images to judge by: those held out, and those that
 * were trained on as well if all layers before the last are frozen
 * @throws ShapeError when the network's number of outputs is not the dataset's number of classes
 * @example
 * const trust = await learnTrust(model, data)
 * const [first] = await predict(model, ['holiday.jpg'], trust ? { trust } : {})
 * console.log(first?.verdict?.known === false ? 'none of these' : first?.top[0]?.class)
 */
export async function learnTrust(
  model: Network,
  data: ImageDataset,
  options: LearnTrustOptions = {},
): Promise<Trust | null> {
  checkOptions('learnTrust', options, ['onRead', 'signal'])
  checkClasses(model, data)
  const { onRead, signal } = options
  const heldOut = evenly(data.val, most)
  const total = heldOut.length + Math.min(most, data.train.length)
  const stopped = signal ? { signal } : {}
  const read = await readingsOf(model, heldOut, {
    onRead: (done) => onRead?.(done, total),
    ...stopped,
  })
  return trustFrom(model, data, read, {
    ...stopped,
    onRead: (done) => onRead?.(heldOut.length + done, total),
  })
}

/** `learnTrust` where the images held out have been read already. */
export async function trustFrom(
  model: Network,
  data: ImageDataset,
  heldOut: readonly LabeledReading[],
  options: Parameters<typeof readingsOf>[2],
): Promise<Trust | null> {
  const trained = await readingsOf(model, evenly(data.train, most), options)
  const last = model.layers.findLastIndex((layer) => layer instanceof Linear)
  const frozen = !model.layers
    .slice(0, last)
    .some((layer) => layer.parameters().some(({ trainable }) => trainable))
  return trustOf(trained, heldOut, frozen)
}

/** At most that many samples, evenly from the whole list. */
function evenly(samples: SampleList, count: number): SampleList {
  const step = Math.max(1, samples.length / count)
  return [...samples].filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step))
}
