import { linear } from '../autograd/functions.ts'
import { at } from '../base/at.ts'
import { DataError, UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { Random, requireSeed } from '../base/random.ts'
import { type ImageDataset, type Sample, sampleAt } from '../data/dataset.ts'
import { type DecodedSample, decodeAhead, decoding } from '../data/loader.ts'
import { preprocessImages } from '../data/transforms.ts'
import { Conv2d, Dropout, Flatten, Linear } from '../nn/layers.ts'
import { type Network, randomAmong } from '../nn/network.ts'
import { sizeOf } from '../tensor/ndbuffer.ts'
import type { Engine, Tensor } from '../tensor/tensor.ts'
import { type Choice, type Depth, decide, type Evidence } from '../transfer/decide.ts'
import { type CrossValidation, crossValidate } from '../transfer/ridge.ts'
import { grouped } from './batches.ts'
import { brokenImages } from './evaluate.ts'
import type { OnEvent } from './events.ts'

/** Options of `chooseScenario`. */
export interface ChooseOptions {
  /** Seed of the sample of images and of its folds. Default 0. */
  readonly seed?: number
  /** The most images that are probed. Default 800; fewer if a network's features are large. */
  readonly pictures?: number
  readonly onEvent?: OnEvent
  readonly signal?: AbortSignal
}

const defaultImages = 800
/** Folds of the cross-validation. */
const folds = 3
/** The most classes that are probed: with more, a sample holds too few images of each. */
const maxClasses = 100
/** The most feature values of the sample, over all depths: 256 MB. */
const maxValues = 64 * 2 ** 20
/** The most doublings of the number of images that accuracies are extrapolated over. */
const maxDoublings = 2
/** Images in a batch. */
const batchSize = 32
/** Random streams of their own, separate from those that split and shuffle the data. */
const sampleStream = 3000

/**
 * Chooses one of the four scenarios for a dataset, the cut, and whether the FC layers stay. It
 * counts images and classes, and measures on a seeded sample of the training images how well a
 * linear classifier predicts the classes from the frozen network's output at several depths (after
 * each stage of convolutions and each hidden FC layer), by threefold cross-validation. The network
 * is not changed.
 * @param model as `alexnet` made it, before `applyScenario`
 * @returns scenario, replace, cut and reason, ready for `applyScenario`, and the evidence
 * @throws DataError when fewer than two classes of the sample can be decoded
 * @throws UsageError for options that do not fit
 * @example
 * const { scenario, replace, cut, reason } = await chooseScenario(model, data)
 * const head = cut ? { cut } : { replace }
 * applyScenario(model, { scenario, classes: data.classes.length, ...head })
 */
export async function chooseScenario(
  model: Network,
  data: ImageDataset,
  options: ChooseOptions = {},
): Promise<Choice> {
  checkOptions('chooseScenario', options, ['seed', 'pictures', 'onEvent', 'signal'])
  const { seed = 0, pictures = defaultImages, onEvent, signal } = options
  requireSeed(seed)
  if (!Number.isSafeInteger(pictures) || pictures < folds)
    throw new UsageError(`pictures is an integer of ${folds} or more, not ${pictures}`)
  const started = performance.now()
  const places = probedLayers(model)
  const values = places.reduce((sum, { features }) => sum + features, 0)
  const wanted = Math.max(2 * folds, Math.min(pictures, Math.floor(maxValues / values)))
  const sample = drawSample(data, wanted, seed)
  const read = await readFeatures(model, places, sample, { onEvent, signal })
  const readSeconds = (performance.now() - started) / 1000
  const { labels, classes } = read
  if (classes < 2)
    throw new DataError(
      `${data.root}: to choose a scenario, images of at least two classes must be readable`,
    )
  const outcomes: CrossValidation[] = []
  for (const [i, { features }] of places.entries()) {
    signal?.throwIfAborted()
    const gram = await gramOf(model.engine, at(read.outputs, i), features)
    outcomes.push(crossValidate(gram, labels, classes, { folds, seed }))
  }
  const doublings = Math.min(
    maxDoublings,
    Math.max(0, Math.log2((data.train.length * folds) / (labels.length * (folds - 1)))),
  )
  const evidence: Evidence = {
    images: data.train.length,
    classes: data.classes.length,
    pretrained: model.pretrained,
    sampled: labels.length,
    sampledClasses: classes,
    folds,
    chance: mostCommonShare(labels, classes),
    depths: depthsOf(places, outcomes, doublings),
    seconds: (performance.now() - started) / 1000,
    readSeconds,
    seed,
  }
  return decide(evidence)
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
function probedLayers(model: Network): ProbedDepth[] {
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

/** A seeded sample with the same share of each class, in the order of the data. */
function drawSample(data: ImageDataset, wanted: number, seed: number): Sample[] {
  const byClass = new Map<number, number[]>()
  let position = 0
  for (const { label } of data.train) {
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
    const count = Math.min(positions.length, Math.max(folds, Math.round(share * positions.length)))
    return positions.slice(0, count)
  })
  return drawn.sort((a, b) => a - b).map((index) => sampleAt(data.train, index))
}

interface Features {
  /** For each depth its outputs, batch by batch, with one row for each image. */
  readonly outputs: readonly (readonly Float32Array[])[]
  /** The classes of the images, numbered in the order they were read. */
  readonly labels: readonly number[]
  readonly classes: number
}

/** Runs the sample through the network once and returns the outputs at every depth. */
async function readFeatures(
  model: Network,
  places: readonly ProbedDepth[],
  samples: readonly Sample[],
  { onEvent, signal }: Pick<ChooseOptions, 'onEvent' | 'signal'>,
): Promise<Features> {
  const outputs: Float32Array[][] = places.map(() => [])
  const labels: number[] = []
  const numbers = new Map<number, number>()
  const order = Array.from(samples, (_, i) => i)
  const onBroken = brokenImages('train', onEvent, false)
  const reading = { ...decoding(model.engine), onBroken, ...(signal ? { signal } : {}) }
  for await (const group of grouped(decodeAhead(samples, order, reading), batchSize)) {
    for (const [i, output] of (await outputsAt(model, places, group)).entries())
      at(outputs, i).push(output)
    for (const { index, sample } of group) {
      const number = numbers.get(sample.label) ?? numbers.size
      numbers.set(sample.label, number)
      labels.push(number)
      onEvent?.({ type: 'read', split: 'train', done: index + 1, total: samples.length })
    }
  }
  return { outputs, labels, classes: numbers.size }
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

function mostCommonShare(labels: readonly number[], classes: number): number {
  const counts = new Array<number>(classes).fill(0)
  for (const label of labels) counts[label] = at(counts, label) + 1
  return Math.max(...counts) / labels.length
}

/** Measured and expected accuracies with their errors, and the distance of each to the best one. */
function depthsOf(
  places: readonly ProbedDepth[],
  outcomes: readonly CrossValidation[],
  doublings: number,
): Depth[] {
  const expectations = outcomes.map((outcome) => extrapolated(outcome, doublings))
  const means = expectations.map((values) => meanAndError(values).mean)
  const best = means.indexOf(Math.max(...means))
  return places.map(({ layer, part, features }, i) => {
    const values = at(expectations, i)
    const measured = meanAndError(at(outcomes, i).correct)
    const expected = meanAndError(values)
    const behind = meanAndError(at(expectations, best).map((value, k) => value - at(values, k)))
    return {
      layer,
      part,
      features,
      accuracy: measured.mean,
      error: measured.error,
      expected: Math.max(0, expected.mean),
      expectedError: expected.error,
      behind: behind.mean,
      behindError: behind.error,
    }
  })
}

/**
 * The accuracy to expect if the number of images were doubled this many times. Errors fall by a
 * power of the number of images (Cortes et al. 1993; Hestness et al. 2017, arXiv:1712.00409): each
 * doubling divides the error by the same factor as the last one did, so that it becomes e (e / h)^d
 * for the error e with all images and h with half of them.
 * @returns a value for each image; their mean is the expected accuracy, and their spread its
 * uncertainty (the image's influence, to first order)
 */
function extrapolated({ correct, halfCorrect }: CrossValidation, doublings: number): Float64Array {
  const [e, h] = [1 - meanAndError(correct).mean, 1 - meanAndError(halfCorrect).mean]
  if (e === 0 || h === 0) return correct
  const power = (e / h) ** doublings
  const ofHalf = doublings * power * (e / h)
  return correct.map(
    (one, k) =>
      1 -
      e * power -
      (1 + doublings) * power * (1 - one - e) +
      ofHalf * (1 - at(halfCorrect, k) - h),
  )
}

function meanAndError(values: Float64Array): { readonly mean: number; readonly error: number } {
  const n = values.length
  const mean = values.reduce((a, b) => a + b, 0) / n
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n
  return { mean, error: Math.sqrt(variance / Math.max(1, n - 1)) }
}
