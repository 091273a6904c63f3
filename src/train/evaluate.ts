import { crossEntropy } from '../autograd/functions.ts'
import { DataError, ShapeError, UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import type { ImageDataset, Sample } from '../data/dataset.ts'
import { viewImages } from '../data/transforms.ts'
import { mostViews } from '../data/view.ts'
import { isDecoded, type RgbImage, type Source } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import { type BatchSource, readAgain } from './batches.ts'
import { diagnose } from './diagnose.ts'
import type { OnEvent } from './events.ts'
import { ImageSource, viewsOf } from './imageSource.ts'
import {
  averageViews,
  type Evaluation,
  EvaluationCounter,
  mostLikely,
  probabilitiesOf,
} from './metrics.ts'
import { ReadbackQueue } from './readbackQueue.ts'

/** What `evaluate` is told. */
export interface EvaluateOptions {
  /** Which part. Default 'val'. */
  readonly split?: 'train' | 'val'
  /** Images that go through the network together. Default 32. */
  readonly batchSize?: number
  /**
   * Test-time augmentation: the views whose probabilities are averaged for each image, 1 to 10: the
   * middle, its mirror image, then the four corners, each and mirrored. Default 1.
   */
  readonly tta?: number
  /** Whether a broken image is an error rather than left out. Default false. */
  readonly strict?: boolean
  readonly onEvent?: OnEvent
  readonly signal?: AbortSignal
}

/** Tells `onEvent` of each broken image once, or throws under `strict`. */
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
 * Runs a network over one part of a dataset.
 * @returns mean loss, accuracy, top-5 accuracy (each in 0..1 but the loss), the confusion matrix
 * and every class's precision and recall
 * @throws ShapeError when the network has another number of outputs than the dataset has classes
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
  const { split = 'val', batchSize = 32, tta = 1, strict = false, onEvent, signal } = options
  const together = imagesTogether(batchSize, tta)
  if (split !== 'train' && split !== 'val')
    throw new UsageError(`split is 'train' or 'val', not '${split}'`)
  checkClasses(model, data)
  const samples = data[split]
  const reading = { onBroken: brokenImages(split, onEvent, strict), ...(signal ? { signal } : {}) }
  const source = new ImageSource(model, samples, reading, { views: tta })
  const report = (done: number) => onEvent?.({ type: 'read', split, done, total: samples.length })
  const result = await evaluateSource(model, source, data.classes, together, { onProgress: report })
  if (result.count === 0)
    throw new DataError(
      `none of the ${samples.length} ${split} images of ${data.root} can be decoded`,
    )
  return result
}

/** A batch on its way back. */
interface Seen {
  readonly targets: Int32Array
  readonly read: number
  /** The logits, and the mean loss where each image was seen once. */
  readonly values: () => Promise<Float32Array[]>
}

/**
 * `evaluate` over a source that may hold features. An aborted one ends early, over what it has
 * seen.
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
  const readbacks = new ReadbackQueue<Float32Array[], Seen>(
    async ({ targets, read }, [rows = new Float32Array(0), means]) => {
      const { loss, logits } = means
        ? { loss: means[0] ?? Number.NaN, logits: rows }
        : averageViews(rows, targets, classes.length, source.views)
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
    const seen = engine.noGrad(() => {
      const logits = model.logits(x, { from: source.from })
      return source.views === 1 ? [logits, crossEntropy(logits, targets)] : [logits]
    })
    const values = engine.readLater(seen)
    engine.gpu.submit()
    for (const tensor of [...seen, x]) tensor.dispose()
    await readbacks.add({ targets, read, values })
    if (signal?.aborted) break
  }
  await readbacks.drain()
  return counter.result()
}

/**
 * Throws ShapeError unless the network has one output for each class, UsageError for what is no
 * dataset.
 */
export function checkClasses(model: Network, data: ImageDataset): void {
  if (!Array.isArray(data?.classes))
    throw new UsageError(
      `images come as openData(path) gives them, awaited, not as ${String(data)}`,
    )
  const outputs = model.shapes().at(-1)?.[0] ?? 0
  if (outputs !== data.classes.length)
    throw new ShapeError(
      `the network has ${outputs} outputs, the dataset ${data.classes.length} classes; applyScenario(model, { classes: ${data.classes.length}, … }) puts a new layer on it`,
    )
}

/** One image's likeliest classes. */
export interface Prediction {
  /** The image's path, a file's name, or its place in the list. */
  readonly name: string
  readonly top: readonly {
    readonly class: string
    readonly index: number
    readonly probability: number
  }[]
}

/**
 * Classifies images.
 * @param images paths, parts of files, encoded bytes, blobs such as a `File`, or decoded images
 * @param options `topK`: how many classes to give, 5 by default, at most as many as there are.
 * `batchSize`: images that go through together, 32 by default. `tta`: views whose probabilities are
 * averaged for each image, 1 to 10, as `evaluate` takes them; 1 by default
 * @throws DataError for an image that cannot be decoded
 * @example const [first] = await predict(model, ['cat.jpg'], { topK: 3 })
 */
export async function predict(
  model: Network,
  images: readonly (Source | RgbImage)[],
  options: { readonly topK?: number; readonly batchSize?: number; readonly tta?: number } = {},
): Promise<Prediction[]> {
  checkOptions('predict', options, ['topK', 'batchSize', 'tta'])
  const { topK = 5, batchSize = 32, tta = 1 } = options
  if (!Array.isArray(images))
    throw new UsageError(`predict takes a list of images, [image], not ${String(images)}`)
  if (!Number.isInteger(topK) || topK < 1)
    throw new UsageError(`topK is a positive integer, not ${topK}`)
  const together = imagesTogether(batchSize, tta)
  const result: Prediction[] = []
  for (let start = 0; start < images.length; start += together) {
    const group = images.slice(start, start + together)
    const decoded = await Promise.all(
      group.map((image) => (isDecoded(image) ? image : model.engine.host.decodeImage(image))),
    )
    const x = viewImages(model.engine, viewsOf(decoded, model.preprocess, tta), model.preprocess)
    const logits = model.engine.noGrad(() => model.logits(x))
    const [, classes = 0] = logits.shape
    const values = await logits.data()
    x.dispose()
    logits.dispose()
    for (const [row, image] of group.entries()) {
      const probabilities = probabilitiesOf(values, row, classes, tta)
      const top = mostLikely(probabilities)
        .slice(0, topK)
        .map((index) => ({
          class: model.classNames?.[index] ?? String(index),
          index,
          probability: probabilities[index] ?? 0,
        }))
      result.push({ name: nameOf(image) ?? `image ${start + row}`, top })
    }
  }
  return result
}

function nameOf(image: Source | RgbImage): string | null {
  if (typeof image === 'string') return image
  return image instanceof File ? image.name : null
}

/**
 * Images that go through the network together, so that with their views they take no more memory
 * than `batchSize` would.
 */
function imagesTogether(batchSize: number, tta: number): number {
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw new UsageError(`batchSize is a positive integer, not ${batchSize}`)
  if (!Number.isInteger(tta) || tta < 1 || tta > mostViews)
    throw new UsageError(`tta is a number of views from 1 to ${mostViews}, not ${tta}`)
  return Math.max(1, Math.floor(batchSize / tta))
}
