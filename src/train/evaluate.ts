import { crossEntropy } from '../autograd/functions.ts'
import { at } from '../base/at.ts'
import { DataError, ShapeError, UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { type ImageDataset, type Sample, withClassesOf } from '../data/dataset.ts'
import { viewImages } from '../data/transforms.ts'
import { mostViews } from '../data/view.ts'
import { isDecoded, type RgbImage, type Source } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type BatchSource, readAgain } from './batches.ts'
import { diagnose } from './diagnose.ts'
import type { OnEvent } from './events.ts'
import { defaultBatchSize } from './fitOptions.ts'
import { ImageSource, viewsOf } from './imageSource.ts'
import {
  averageViews,
  type Evaluation,
  EvaluationCounter,
  mostLikely,
  probabilitiesOf,
} from './metrics.ts'
import { ReadbackQueue } from './readbackQueue.ts'
import { type Reading, readRows } from './readings.ts'
import { defaultRefused, type Trust, type Verdict, verdictOf } from './trust.ts'

/** Options of `evaluate`. */
export interface EvaluateOptions {
  /** Which part of the dataset. Default 'val'. */
  readonly split?: 'train' | 'val'
  /** Images that go through the network together. Default 32. */
  readonly batchSize?: number
  /**
   * Test-time augmentation: how many views of each image are averaged, 1 to 10: the center crop,
   * its mirror image, then the four corners, each with its mirror image. Default 1.
   */
  readonly tta?: number
  /** Whether a broken image is an error instead of being left out. Default false. */
  readonly strict?: boolean
  readonly onEvent?: OnEvent
  readonly signal?: AbortSignal
}

/** Reports each broken image to `onEvent` once, or throws if `strict`. */
export function brokenImages(
  split: 'train' | 'val',
  onEvent: OnEvent | undefined,
  strict: boolean,
): (sample: Sample, error: DataError) => void {
  const seen = new Set<string>()
  return (sample, error) => {
    if (strict) throw error
    if (seen.has(sample.name)) return
    seen.add(sample.name)
    onEvent?.({
      type: 'skipped',
      name: sample.name,
      reason: error.message,
      split,
      label: sample.label,
    })
  }
}

/**
 * Runs a network over one part of a dataset. Classes are those of the network, by their names: the
 * dataset may lack some, or have them in another order. `openData(path, { testSet: true })` opens
 * images that are not divided.
 * @returns mean loss, accuracy and top-5 accuracy in 0..1, the confusion matrix, and every class's
 * precision and recall
 * @throws DataError naming the dataset's classes that the network does not know
 * @throws ShapeError when the network's classes have no names, and its number of outputs is not the
 * dataset's number of classes
 * @throws DataError when no image of the part can be decoded
 * @throws NonFiniteError when the loss is NaN or infinite, naming the first such tensor
 * @example const { accuracy, confusion } = await evaluate(model, data)
 */
export async function evaluate(
  model: Network,
  data: ImageDataset,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkOptions('evaluate', options, ['split', 'batchSize', 'tta', 'strict', 'onEvent', 'signal'])
  const { split = 'val', tta = 1, strict = false, onEvent, signal } = options
  const { batchSize = defaultBatchSize } = options
  const imagesPerBatch = imagesInBatch(batchSize, tta)
  if (split !== 'train' && split !== 'val')
    throw new UsageError(`split is 'train' or 'val', not '${split}'`)
  checkDataset(data)
  const classed = model.classNames
    ? withClassesOf(data, model.classNames, 'the network', 'network')
    : data
  checkClasses(model, classed)
  const samples = classed[split]
  const reading = { onBroken: brokenImages(split, onEvent, strict), ...(signal ? { signal } : {}) }
  const source = new ImageSource(model, samples, reading, { views: tta })
  const result = await evaluateSource(model, source, classed.classes, imagesPerBatch, {
    onProgress: (done) => onEvent?.({ type: 'read', split, done, total: samples.length }),
  })
  if (result.count === 0)
    throw new DataError(
      `none of the ${samples.length} ${split} images of ${data.root} can be decoded`,
    )
  return result
}

/** The values of a batch: logits, and the mean loss if each image has one view. */
interface BatchValues {
  readonly logits: Float32Array
  readonly loss: number | null
}

/** A batch that was submitted to the device. */
interface EvaluatedBatch {
  readonly targets: Int32Array
  readonly read: number
  readonly values: () => Promise<BatchValues>
}

/**
 * `evaluate` over a source, which may hold features. When aborted it ends early, with the result of
 * the images so far.
 */
export async function evaluateSource(
  model: Network,
  source: BatchSource,
  classes: readonly string[],
  batchSize: number,
  options: {
    readonly onProgress?: (done: number) => void
    readonly signal?: AbortSignal | undefined
    readonly what?: string
  } = {},
): Promise<Evaluation> {
  const counter = new EvaluationCounter(classes)
  const { engine } = model
  const { signal, onProgress, what = 'evaluation stopped' } = options
  const order = Uint32Array.from({ length: source.count }, (_, i) => i)
  let [position, done] = [0, 0]
  const readbacks = new ReadbackQueue<BatchValues, EvaluatedBatch>(
    async ({ targets, read }, { logits: rows, loss: meanLoss }) => {
      const { loss, logits } =
        meanLoss === null
          ? averageViews(rows, targets, classes.length, source.views)
          : { loss: meanLoss, logits: rows }
      if (!Number.isFinite(loss))
        throw await readAgain(source, order.subarray(position, read), batchSize, 0, (batch) =>
          diagnose(model, { batch, from: source.from, pass: null, what }),
        )
      counter.add(loss, logits, targets)
      position = read
      done += targets.length
      onProgress?.(done)
    },
  )
  for await (const { x, targets, read } of source.batches(order, batchSize, 0)) {
    const [logits, loss] = engine.noGrad(() => {
      const logits = model.logits(x, { from: source.from })
      return [logits, source.views === 1 ? crossEntropy(logits, targets) : null]
    })
    const collect = engine.readLater(loss ? [logits, loss] : [logits])
    engine.gpu.submit()
    for (const tensor of [logits, loss, x]) tensor?.dispose()
    const values = async () => {
      const [rows, ...losses] = await collect()
      return { logits: rows, loss: losses.length ? at(losses[0], 0) : null }
    }
    await readbacks.add({ targets, read, values })
    if (signal?.aborted) break
  }
  await readbacks.drain()
  return counter.result()
}

/**
 * Checks that the network has one output for each class.
 * @throws ShapeError if not; UsageError for something that is not a dataset
 */
export function checkClasses(model: Network, data: ImageDataset): void {
  checkDataset(data)
  const outputs = model.shapes().at(-1)?.[0]
  const { length } = data.classes
  if (outputs !== length)
    throw new ShapeError(
      `the network has ${outputs} outputs, the dataset ${length} classes; ` +
        `applyScenario(model, { classes: ${length}, … }) gives it a new last layer`,
    )
}

function checkDataset(data: ImageDataset): void {
  if (!Array.isArray(data?.classes))
    throw new UsageError(`the images are a dataset, await openData(path), not ${String(data)}`)
}

/** The most likely classes of one image. */
export interface Prediction {
  /** The image's path, the file's name, or its position in the list. */
  readonly name: string
  readonly top: readonly {
    readonly class: string
    readonly index: number
    readonly probability: number
  }[]
  /** Whether it is of these classes at all; only where `trust` was given. */
  readonly verdict?: Verdict
}

/** Options of `predict`. */
export interface PredictOptions {
  /** How many classes to return, at most as many as there are. Default 5. */
  readonly topK?: number
  /** Images that go through the network together. Default 32. */
  readonly batchSize?: number
  /** How many views of each image are averaged, 1 to 10, as in `evaluate`. Default 1. */
  readonly tta?: number
  /** What `learnTrust` found out: adds to each prediction whether the image is of these classes. */
  readonly trust?: Trust
  /**
   * The share of images of the known classes that may be refused by mistake, from 0 (none is
   * refused) to 1. Default 0.05.
   */
  readonly refuse?: number
}

/**
 * Classifies images.
 * @param images paths, parts of files, encoded bytes, blobs such as a `File`, or decoded images
 * @throws DataError for an image that cannot be decoded; NonFiniteError when a logit is NaN or
 * infinite, naming the first such tensor
 * @example const [first] = await predict(model, ['cat.jpg'], { topK: 3 })
 */
export async function predict(
  model: Network,
  images: readonly (Source | RgbImage)[],
  options: PredictOptions = {},
): Promise<Prediction[]> {
  checkOptions('predict', options, ['topK', 'batchSize', 'tta', 'trust', 'refuse'])
  const { topK = 5, batchSize = defaultBatchSize, tta = 1 } = options
  const { trust, refuse = defaultRefused } = options
  if (!(refuse >= 0 && refuse <= 1))
    throw new UsageError(`refuse is a share from 0 to 1, not ${refuse}`)
  if (!Array.isArray(images))
    throw new UsageError(`predict takes a list of images, [image], not ${String(images)}`)
  if (!Number.isInteger(topK) || topK < 1)
    throw new UsageError(`topK is a positive integer, not ${topK}`)
  const imagesPerBatch = imagesInBatch(batchSize, tta)
  const result: Prediction[] = []
  for (let start = 0; start < images.length; start += imagesPerBatch) {
    const group = images.slice(start, start + imagesPerBatch)
    const decoded = await Promise.all(
      group.map((image) => (isDecoded(image) ? image : model.engine.host.decodeImage(image))),
    )
    const x = viewImages(model.engine, viewsOf(decoded, model.preprocess, tta), model.preprocess)
    const { values, readings } = trust ? await read(model, x) : await logitsOf(model, x)
    const classes = values.length / (group.length * tta)
    if (!values.every(Number.isFinite)) {
      const targets = new Int32Array(group.length * tta)
      const what = 'prediction stopped'
      throw await diagnose(model, { batch: { x, targets }, from: 0, pass: null, what })
    }
    x.dispose()
    for (const [row, image] of group.entries()) {
      const probabilities = probabilitiesOf(values, row, classes, tta)
      const top = mostLikely(probabilities)
        .slice(0, topK)
        .map((index) => ({
          class: model.classNames?.[index] ?? String(index),
          index,
          probability: at(probabilities, index),
        }))
      const name = nameOf(image) ?? `image ${start + row}`
      // The first view of an image is its middle.
      const reading = readings[row * tta]
      const judged = trust && reading ? { verdict: verdictOf(trust, reading, refuse) } : {}
      result.push({ name, top, ...judged })
    }
  }
  return result
}

/** What a pass gives of a batch: all logits, and where they are wanted, the readings. */
interface Pass {
  readonly values: Float32Array
  readonly readings: readonly Reading[]
}

async function logitsOf(model: Network, x: Tensor): Promise<Pass> {
  const logits = model.engine.noGrad(() => model.logits(x))
  return { values: await logits.data().finally(() => logits.dispose()), readings: [] }
}

async function read(model: Network, x: Tensor): Promise<Pass> {
  const readings = await readRows(model, x)
  const values = Float32Array.from(readings.flatMap(({ logits }) => [...logits]))
  return { values, readings }
}

function nameOf(image: Source | RgbImage): string | null {
  if (typeof image === 'string') return image
  return image instanceof File ? image.name : null
}

/**
 * Images in a batch such that, with their views, they take no more memory than `batchSize` would.
 */
function imagesInBatch(batchSize: number, tta: number): number {
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw new UsageError(`batchSize is a positive integer, not ${batchSize}`)
  if (!Number.isInteger(tta) || tta < 1 || tta > mostViews)
    throw new UsageError(`tta is a number of views from 1 to ${mostViews}, not ${tta}`)
  return Math.max(1, Math.floor(batchSize / tta))
}
