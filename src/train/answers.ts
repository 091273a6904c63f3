import { at } from '../base/at.ts'
import { csvRow } from '../base/csv.ts'
import type { DataError } from '../base/errors.ts'
import { jsonLine } from '../base/jsonLine.ts'
import type { Sample, SampleList } from '../data/dataset.ts'
import { decodeAhead, decoding } from '../data/loader.ts'
import type { RgbImage } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import { type Prediction, predict } from './evaluate.ts'
import { defaultBatchSize } from './fitOptions.ts'
import type { Trust } from './trust.ts'

/** An image that was classified, or one that cannot be read. */
export type Answer =
  | ({ readonly type: 'prediction' } & Prediction)
  | { readonly type: 'skipped'; readonly name: string; readonly reason: string }

/** Bytes of pixels that are classified together. */
const batchBytes = 2 ** 28

/**
 * Classifies images batch by batch, in their order; broken ones come where they are met.
 * @param options `onProgress`: called with the number of images after each batch
 */
export async function* classified(
  model: Network,
  samples: SampleList,
  options: {
    readonly top: number
    readonly tta: number
    /** Judges which images are of none of the classes, if it is known. */
    readonly trust: Trust | null
    /** The share of images of the classes that may be refused. */
    readonly refuse: number
    readonly signal?: AbortSignal
    readonly onProgress?: (read: number) => void
  },
): AsyncGenerator<Answer> {
  const { top: topK, tta, trust, refuse, signal, onProgress } = options
  const judging = trust ? { trust } : {}
  let broken: Answer[] = []
  const reading = {
    ...decoding(model.engine),
    ...(signal ? { signal } : {}),
    onBroken: ({ name }: Sample, { message }: DataError) => {
      broken.push({ type: 'skipped', name, reason: message })
    },
  }
  let batch: { readonly name: string; readonly image: RgbImage }[] = []
  const answers = async (): Promise<Answer[]> => {
    const images = batch.map(({ image }) => image)
    const predictions = await predict(model, images, { topK, tta, refuse, ...judging })
    const done = predictions.map((prediction, i): Answer => {
      return { ...prediction, type: 'prediction', name: at(batch, i).name }
    })
    const all = [...broken, ...done]
    broken = []
    batch = []
    return all
  }
  let [bytes, read] = [0, 0]
  const order = Uint32Array.from({ length: samples.length }, (_, i) => i)
  for await (const { sample, image } of decodeAhead(samples, order, reading)) {
    batch.push({ name: sample.name, image })
    bytes += image.data.length
    if (batch.length < defaultBatchSize && bytes < batchBytes) continue
    read += batch.length
    bytes = 0
    yield* await answers()
    onProgress?.(read)
  }
  yield* await answers()
}

/** What programs read: a CSV table, or one JSON object a line. */
export type AnswerFormat = 'csv' | 'json'

/**
 * Answers as lines for programs; a table has no rows for images that cannot be read.
 * @param top how many classes are named
 * @param judged whether it is known which images are of none of the classes
 */
export async function* answerLines(
  answers: AsyncIterable<Answer>,
  format: AnswerFormat,
  { top, judged }: { readonly top: number; readonly judged: boolean },
): AsyncGenerator<string> {
  if (format === 'csv') yield csvRow([...headerOf(top), ...(judged ? ['known'] : [])])
  for await (const answer of answers)
    if (format === 'json') yield jsonLine(answer)
    else if (answer.type === 'prediction')
      yield csvRow([
        answer.name,
        ...answer.top.flatMap((one) => [one.class, one.probability] as const),
        ...(answer.verdict ? [answer.verdict.known ? 'yes' : 'no'] : []),
      ])
}

/** The first columns are those of a table of labels, which `graft train` reads. */
function headerOf(top: number): string[] {
  const others = Array.from({ length: top - 1 }, (_, i) => [
    `next_${i + 1}`,
    `probability_${i + 1}`,
  ])
  return ['file', 'label', 'probability', ...others.flat()]
}
