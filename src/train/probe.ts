import { linear } from '../autograd/functions.ts'
import { at } from '../base/at.ts'
import { Random } from '../base/random.ts'
import { type ImageDataset, type Sample, type SampleList, sampleAt } from '../data/dataset.ts'
import { type DecodedSample, decodeAhead, decoding } from '../data/loader.ts'
import { preprocessImages } from '../data/transforms.ts'
import { Conv2d, Dropout, Flatten, Linear } from '../nn/layers.ts'
import { type Network, randomAmong } from '../nn/network.ts'
import { sizeOf } from '../tensor/ndbuffer.ts'
import type { Engine, Tensor } from '../tensor/tensor.ts'
import type { Depth } from '../transfer/evidence.ts'
import { type CrossValidation, crossValidate } from '../transfer/ridge.ts'
import { grouped } from './batches.ts'
import { brokenImages } from './evaluate.ts'
import type { OnEvent } from './events.ts'

/** Options of `probe`. */
export interface ProbeOptions {
  readonly seed: number
  /** The most training images that are probed, and twice as many as validation images. */
  readonly pictures: number
  readonly folds: number
  readonly onEvent?: OnEvent | undefined
  readonly signal?: AbortSignal | undefined
}

/** What a probe measured. */
export interface Probe {
  /** Shallowest first, with the outcome of each. */
  readonly depths: readonly (ProbedDepth & { readonly outcome: CrossValidation })[]
  /** The classes of the training images of the sample, numbered in the order they were read. */
  readonly labels: readonly number[]
  /** How many classes they have. */
  readonly classes: number
  /** Seconds spent reading the sample and running the network. */
  readonly readSeconds: number
  /** How many images were read for that. */
  readonly read: number
}

/** The most classes that are probed: with more, a sample holds too few images of each. */
const maxClasses = 100
/** The most feature values of the sample, over all depths: 256 MB. */
const maxValues = 64 * 2 ** 20
/** Images in a batch. */
const batchSize = 32
/** Random streams of their own, separate from those that split and shuffle the data. */
const sampleStream = 3000
const validationStream = 2000

/**
 * Reads a seeded sample of the training images and of the validation images through the frozen
 * network, and measures at every depth how well a linear classifier predicts the classes: of the
 * training images by cross-validation, of the validation images trained on the whole sample.
 */
export async function probe(
  model: Network,
  data: ImageDataset,
  { seed, pictures, folds, onEvent, signal }: ProbeOptions,
): Promise<Probe> {
  const started = performance.now()
  const places = probedLayers(model)
  const values = places.reduce((sum, { features }) => sum + features, 0)
  const most = Math.max(2 * folds, Math.min(pictures, Math.floor((maxValues * 2) / (3 * values))))
  const train = drawSample(data.train, most, folds, seed)
  const val = drawOthers(data.val, train, Math.ceil(most / 2), seed)
  const read = await readFeatures(model, places, { train, val }, { onEvent, signal })
  const readSeconds = (performance.now() - started) / 1000
  const { labels, known, classes } = read
  const depths: (ProbedDepth & { readonly outcome: CrossValidation })[] = []
  if (classes > 1)
    for (const [i, place] of places.entries()) {
      signal?.throwIfAborted()
      const gram = await gramOf(model.engine, at(read.outputs, i), place.features)
      depths.push({
        ...place,
        outcome: crossValidate(gram, labels, classes, { folds, seed, known }),
      })
    }
  return { depths, labels: labels.slice(0, known), classes, readSeconds, read: labels.length }
}

/** A depth that is probed. */
interface ProbedDepth extends Pick<Depth, 'layer' | 'part' | 'features'> {
  /** How many layers come before its output. */
  readonly to: number
}

/**
 * The depths where a head could be attached, as far as the weights go: before each convolution but
 * the first, at the end of the features, and before each FC layer. Weights that were cut have the
 * end of their features at the cut.
 */
export function probedLayers(model: Network): ProbedDepth[] {
  const { layers } = model
  const shapes = model.shapes()
  const opens = (i: number) =>
    [Conv2d, Flatten, Linear, Dropout].some((kind) => layers[i] instanceof kind)
  const flattened = layers.findIndex((layer) => layer instanceof Flatten)
  const random = randomAmong(model.missing)
  const first = layers.findIndex((layer) =>
    layer.parameters().some(({ name }) => random.includes(name)),
  )
  const known = first < 0 ? layers.length : first
  const end = Math.min(known, flattened < 0 ? layers.length : flattened)
  const places = layers.flatMap((layer, i): ProbedDepth[] => {
    if (i >= known || opens(i) || !opens(i + 1)) return []
    const part = i < end - 1 ? 'early' : i === end - 1 ? 'last features' : 'hidden FC'
    return [{ layer: layer.name, part, features: sizeOf(at(shapes, i + 1)), to: i + 1 }]
  })
  const last = places.at(-1)
  return last?.part === 'hidden FC'
    ? [...places.slice(0, -1), { ...last, part: 'last hidden FC' }]
    : places
}

/**
 * A seeded sample with the same share of each class, in the order of the data.
 * @param least images of each class, if it has as many
 */
function drawSample(samples: SampleList, wanted: number, least: number, seed: number): Sample[] {
  const byClass = new Map<number, number[]>()
  let position = 0
  for (const { label } of samples) {
    const positions = byClass.get(label)
    if (positions) positions.push(position)
    else byClass.set(label, [position])
    position++
  }
  const classes = [...byClass].sort(([a], [b]) => a - b)
  if (classes.length > maxClasses) new Random(seed, sampleStream).shuffle(classes)
  const probed = classes.slice(0, maxClasses)
  const present = probed.reduce((sum, [, positions]) => sum + positions.length, 0)
  const share = Math.min(1, wanted / present)
  const drawn = probed.flatMap(([label, positions]) => {
    new Random(seed, sampleStream + 1 + label).shuffle(positions)
    const count = Math.min(positions.length, Math.max(least, Math.round(share * positions.length)))
    return positions.slice(0, count)
  })
  return drawn.sort((a, b) => a - b).map((index) => sampleAt(samples, index))
}

/** A seeded sample of images whose classes are among those of another one. */
function drawOthers(
  samples: SampleList,
  others: readonly Sample[],
  wanted: number,
  seed: number,
): Sample[] {
  const classes = new Set(others.map(({ label }) => label))
  const positions = Array.from(samples, ({ label }, i) => (classes.has(label) ? i : -1))
  const drawn = positions.filter((position) => position >= 0)
  new Random(seed, validationStream).shuffle(drawn)
  return drawn
    .slice(0, wanted)
    .sort((a, b) => a - b)
    .map((index) => sampleAt(samples, index))
}

interface Features {
  /** For each depth its outputs, batch by batch, with one row for each image. */
  readonly outputs: readonly (readonly Float32Array[])[]
  /** The classes of the images, numbered in the order they were read. */
  readonly labels: readonly number[]
  /** How many of the images, the first ones, are training images, and their classes' number. */
  readonly known: number
  readonly classes: number
}

/** Runs the samples through the network once and returns the outputs at every depth. */
async function readFeatures(
  model: Network,
  places: readonly ProbedDepth[],
  samples: Readonly<Record<'train' | 'val', readonly Sample[]>>,
  { onEvent, signal }: Pick<ProbeOptions, 'onEvent' | 'signal'>,
): Promise<Features> {
  const outputs: Float32Array[][] = places.map(() => [])
  const labels: number[] = []
  const numbers = new Map<number, number>()
  const total = samples.train.length + samples.val.length
  let known = 0
  for (const split of ['train', 'val'] as const) {
    const before = split === 'train' ? 0 : samples.train.length
    const order = Array.from(samples[split], (_, i) => i)
    const onBroken = brokenImages(split, onEvent, false)
    const reading = { ...decoding(model.engine), onBroken, ...(signal ? { signal } : {}) }
    for await (const group of grouped(decodeAhead(samples[split], order, reading), batchSize)) {
      const rows = await outputsAt(model, places, group)
      for (const [i, output] of rows.entries()) at(outputs, i).push(output)
      for (const { index, sample } of group) {
        // A class without a training image that can be decoded has a number of its own too: nothing
        // predicts it, as in the training.
        const number = numbers.get(sample.label) ?? numbers.size
        numbers.set(sample.label, number)
        labels.push(number)
        onEvent?.({ type: 'read', split, done: before + index + 1, total })
      }
    }
    if (split === 'train') known = labels.length
  }
  return { outputs, labels, known, classes: new Set(labels.slice(0, known)).size }
}

/** The outputs of a batch at every depth, [batch, features] each. */
async function outputsAt(
  model: Network,
  places: readonly ProbedDepth[],
  group: readonly DecodedSample[],
): Promise<Float32Array[]> {
  const { engine } = model
  const images = group.map(({ image }) => image)
  let x = preprocessImages(engine, images, model.preprocess)
  const tensors = new Set([x])
  const outputs: Tensor[] = []
  try {
    let from = 0
    for (const { to } of places) {
      x = engine.noGrad(() => model.forward(x, { from, to }))
      tensors.add(x)
      outputs.push(x)
      from = to
    }
    return await engine.read(outputs)
  } finally {
    for (const tensor of tensors) tensor.dispose()
  }
}

/**
 * Inner products of every two rows, less the mean row, [n, n]: X Xᵀ, which a dense layer computes
 * from the input X with X as its weight.
 */
async function gramOf(
  engine: Engine,
  batches: readonly Float32Array[],
  features: number,
): Promise<Float32Array> {
  const n = batches.reduce((sum, batch) => sum + batch.length, 0) / features
  const rows = new Float32Array(n * features)
  let start = 0
  for (const batch of batches) {
    rows.set(batch, start)
    start += batch.length
  }
  // Subtracts the mean row, which would take up most of float32's digits. A wrong index would make
  // all of it NaN.
  const mean = new Float64Array(features)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < features; j++)
      mean[j] = (mean[j] ?? Number.NaN) + (rows[i * features + j] ?? Number.NaN) / n
  for (let i = 0; i < n; i++)
    for (let j = 0; j < features; j++)
      rows[i * features + j] = (rows[i * features + j] ?? Number.NaN) - (mean[j] ?? Number.NaN)
  const x = engine.tensor(rows, [n, features])
  const gram = engine.noGrad(() => linear(x, x, null))
  try {
    return await gram.data()
  } finally {
    gram.dispose()
    x.dispose()
  }
}
