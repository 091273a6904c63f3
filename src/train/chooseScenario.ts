import { linear } from '../autograd/functions.ts'
import { DataError, UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { Random, requireSeed } from '../base/random.ts'
import type { ImageDataset, Sample } from '../data/dataset.ts'
import { type DecodedSample, decodeAhead, decoding } from '../data/loader.ts'
import { preprocessImages } from '../data/transforms.ts'
import { Conv2d, Dropout, Flatten, Linear } from '../nn/layers.ts'
import type { Network } from '../nn/network.ts'
import type { Engine } from '../tensor/engine.ts'
import { sizeOf } from '../tensor/ndbuffer.ts'
import { type Choice, type Depth, decide, type Evidence } from '../transfer/decide.ts'
import { type CrossValidation, crossValidate } from '../transfer/ridge.ts'
import { grouped } from './batches.ts'
import { brokenImages } from './evaluate.ts'
import type { OnEvent } from './events.ts'

/** What `chooseScenario` is told. */
export interface ChooseOptions {
  /** Seeds which images are probed, and their folds. Default 0. */
  readonly seed?: number
  /** Images probed at the most. Default 800; fewer where a network's features are large. */
  readonly pictures?: number
  readonly onEvent?: OnEvent
  readonly signal?: AbortSignal
}

const defaultImages = 800
/** Each fold is predicted by what was learned on the others. */
const folds = 3
/** Classes probed at the most: beyond that a sample holds too few images of each. */
const mostClasses = 100
/** Values of features that the sample may have, over all depths: 256 MB. */
const mostValues = 64 * 2 ** 20
/** How far accuracies are carried on beyond the images that the probe learned from. */
const mostDoublings = 2
/** Images that go through the network together. */
const batchSize = 32
/** Apart from the streams that split and shuffle the data. */
const sampleStream = 3000

/**
 * Picks one of the four scenarios for a dataset, the cut and whether the FC layers stay: counts
 * images and classes, and measures on a seeded sample of those to train on how well a linear
 * classifier reads the classes from the frozen network's output at several depths (after each stage
 * of convolutions and each hidden FC layer), by threefold cross-validation. The network is not
 * changed.
 * @param model as `alexnet` made it, before `applyScenario`
 * @returns scenario, replace, cut and reason, ready for `applyScenario`, and the evidence
 * @throws DataError when fewer than two classes of the sample can be decoded
 * @throws UsageError for options that do not fit
 * @example
 * const { scenario, replace, cut, reason } = await chooseScenario(model, data)
 * applyScenario(model, { scenario, classes: data.classes.length, ...(cut ? { cut } : { replace })
 * })
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
  const begun = performance.now()
  const places = probedLayers(model)
  const values = places.reduce((sum, { features }) => sum + features, 0)
  const wanted = Math.max(2 * folds, Math.min(pictures, Math.floor(mostValues / values)))
  const sample = drawSample(data, wanted, seed)
  const read = await readFeatures(model, places, sample, { onEvent, signal })
  const readSeconds = (performance.now() - begun) / 1000
  const { labels, classes } = read
  if (classes < 2)
    throw new DataError(
      `${data.root}: a sample to choose a scenario by needs images of two classes that can be decoded`,
    )
  const outcomes: CrossValidation[] = []
  for (const [i, { features }] of places.entries()) {
    signal?.throwIfAborted()
    const gram = await gramOf(model.engine, read.outputs[i] ?? [], features)
    outcomes.push(crossValidate(gram, labels, classes, { folds, seed }))
  }
  const doublings = Math.min(
    mostDoublings,
    Math.max(0, Math.log2((data.train.length * folds) / (labels.length * (folds - 1)))),
  )
  const evidence: Evidence = {
    images: data.train.length,
    classes: data.classes.length,
    pretrained: model.pretrained,
    sampled: labels.length,
    sampledClasses: classes,
    folds,
    chance: commonestShare(labels, classes),
    depths: depthsOf(places, outcomes, doublings),
    seconds: (performance.now() - begun) / 1000,
    readSeconds,
    seed,
  }
  return decide(evidence)
}

interface Place extends Pick<Depth, 'layer' | 'part' | 'features'> {
  /** How many layers come before its output. */
  readonly to: number
}

/**
 * Where a head could sit: before each convolution but the first, at the end of the features, and
 * before each FC layer whose weights are there.
 */
function probedLayers(model: Network): Place[] {
  const { layers } = model
  const shapes = model.shapes()
  const opens = (i: number) =>
    [Conv2d, Flatten, Linear, Dropout].some((kind) => layers[i] instanceof kind)
  const flattened = layers.findIndex((layer) => layer instanceof Flatten)
  const end = flattened < 0 ? layers.length : flattened
  const places = layers.flatMap((layer, i): Place[] => {
    if (opens(i) || !opens(i + 1)) return []
    const missing = layers
      .slice(0, i + 1)
      .some((before) => before.parameters().some(({ name }) => model.missing.includes(name)))
    if (missing) return []
    const part = i < end - 1 ? 'early' : i === end - 1 ? 'last features' : 'hidden FC'
    return [{ layer: layer.name, part, features: sizeOf(shapes[i + 1] ?? []), to: i + 1 }]
  })
  const last = places.at(-1)
  return last?.part === 'hidden FC'
    ? [...places.slice(0, -1), { ...last, part: 'last hidden FC' }]
    : places
}

/** A seeded share of each class, in the order of the data. */
function drawSample(data: ImageDataset, wanted: number, seed: number): Sample[] {
  const byClass = new Map<number, number[]>()
  let position = 0
  for (const { label } of data.train) {
    const positions = byClass.get(label)
    if (positions) positions.push(position)
    else byClass.set(label, [position])
    position++
  }
  const labels = [...byClass.keys()].sort((a, b) => a - b)
  if (labels.length > mostClasses) new Random(seed, sampleStream).shuffle(labels)
  const probed = labels.slice(0, mostClasses)
  const present = probed.reduce((sum, label) => sum + (byClass.get(label)?.length ?? 0), 0)
  const share = Math.min(1, wanted / present)
  const drawn = probed.flatMap((label) => {
    const positions = byClass.get(label) ?? []
    new Random(seed, sampleStream + 1 + label).shuffle(positions)
    const count = Math.min(positions.length, Math.max(folds, Math.round(share * positions.length)))
    return positions.slice(0, count)
  })
  return drawn.sort((a, b) => a - b).flatMap((at) => data.train.at(at) ?? [])
}

interface Features {
  /** The output at each place, batch by batch, a row for each image. */
  readonly outputs: readonly (readonly Float32Array[])[]
  /** Classes counted from 0 among those met. */
  readonly labels: readonly number[]
  readonly classes: number
}

/** Runs the sample through the network once, and keeps what comes out at every place. */
async function readFeatures(
  model: Network,
  places: readonly Place[],
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
      outputs[i]?.push(output)
    for (const { index, sample } of group) {
      const number = numbers.get(sample.label) ?? numbers.size
      numbers.set(sample.label, number)
      labels.push(number)
      onEvent?.({ type: 'read', split: 'train', done: index + 1, total: samples.length })
    }
  }
  return { outputs, labels, classes: numbers.size }
}

/** The outputs of a batch at every place, [batch, features] each. */
async function outputsAt(
  model: Network,
  places: readonly Place[],
  group: readonly DecodedSample[],
): Promise<Float32Array[]> {
  const { engine } = model
  const decoded = group.map(({ image }) => image)
  const tensors = [preprocessImages(engine, decoded, model.preprocess)]
  try {
    let from = 0
    for (const { to } of places) {
      const x = tensors.at(-1)
      if (x) tensors.push(engine.noGrad(() => model.forward(x, { from, to })))
      from = to
    }
    return await engine.read(tensors.slice(1))
  } finally {
    for (const tensor of new Set(tensors)) tensor.dispose()
  }
}

/**
 * Products of each two rows, less the mean row, [n, n]: X Xᵀ is what a dense layer computes of X
 * with X as its weight.
 */
async function gramOf(
  engine: Engine,
  batches: readonly Float32Array[],
  features: number,
): Promise<Float32Array> {
  const n = batches.reduce((sum, batch) => sum + batch.length, 0) / features
  const rows = new Float32Array(n * features)
  let at = 0
  for (const batch of batches) {
    rows.set(batch, at)
    at += batch.length
  }
  const mean = new Float64Array(features)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < features; j++) mean[j] = (mean[j] ?? 0) + (rows[i * features + j] ?? 0) / n
  // Without it float32 would spend its digits on the mean.
  for (let i = 0; i < n; i++)
    for (let j = 0; j < features; j++)
      rows[i * features + j] = (rows[i * features + j] ?? 0) - (mean[j] ?? 0)
  const x = engine.tensor(rows, [n, features])
  const gram = engine.noGrad(() => linear(x, x, null))
  try {
    return await gram.data()
  } finally {
    gram.dispose()
    x.dispose()
  }
}

function commonestShare(labels: readonly number[], classes: number): number {
  const counts = new Array<number>(classes).fill(0)
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1
  return Math.max(...counts) / labels.length
}

/**
 * Measured and expected accuracies with their errors, and how far each lies behind the best, image
 * by image.
 */
function depthsOf(
  places: readonly Place[],
  outcomes: readonly CrossValidation[],
  doublings: number,
): Depth[] {
  const expected = outcomes.map((outcome) => carriedOn(outcome, doublings))
  const means = expected.map((values) => meanAndError(values).mean)
  const best = expected[means.indexOf(Math.max(...means))] ?? new Float64Array(0)
  return places.map(({ layer, part, features }, i) => {
    const values = expected[i] ?? new Float64Array(0)
    const [measured, whole] = [meanAndError(outcomes[i]?.correct ?? values), meanAndError(values)]
    const behind = meanAndError(best.map((value, k) => value - (values[k] ?? 0)))
    return {
      ...{ layer, part, features, accuracy: measured.mean, error: measured.error },
      ...{
        expected: Math.max(0, whole.mean),
        expectedError: whole.error,
        behind: behind.mean,
        behindError: behind.error,
      },
    }
  })
}

/**
 * The accuracy to expect of so many times twice the images. Errors fall by a power of the number of
 * images (Cortes et al. 1993; Hestness et al. 2017, arXiv:1712.00409): each doubling divides them
 * by what the last one did, e (e / h)^d for errors e of all and h of half.
 * @returns a value for each image, whose mean is the expectation and whose spread is its
 * uncertainty (its influence, to first order)
 */
function carriedOn({ correct, halfCorrect }: CrossValidation, doublings: number): Float64Array {
  const [e, h] = [1 - meanAndError(correct).mean, 1 - meanAndError(halfCorrect).mean]
  if (e === 0 || h === 0) return correct
  const power = (e / h) ** doublings
  const ofHalf = doublings * power * (e / h)
  return correct.map(
    (one, k) =>
      1 -
      e * power -
      (1 + doublings) * power * (1 - one - e) +
      ofHalf * (1 - (halfCorrect[k] ?? 0) - h),
  )
}

function meanAndError(values: Float64Array): { readonly mean: number; readonly error: number } {
  const n = values.length
  const mean = values.reduce((a, b) => a + b, 0) / n
  return {
    mean,
    error: Math.sqrt(
      values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n / Math.max(1, n - 1),
    ),
  }
}
