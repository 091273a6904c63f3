import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import { resizeCrop } from '../data/transforms.ts'
import type { RgbImage } from '../host/host.ts'
import { inspect } from '../inspect/inspect.ts'
import { writeInspection } from '../inspect/plain.ts'
import { cells, occlusionMap } from '../report/occlusionMap.ts'
import { defaultBatchSize } from '../train/fitOptions.ts'
import { mostLikely } from '../train/metrics.ts'
import { readImages } from '../train/readings.ts'
import { temperedProbabilities, verdictOf } from '../train/trust.ts'
import type { Trained } from './trainRun.ts'
import type { Answer, HeatMap } from './workerApi.ts'

/** Classes that an answer names. */
const topK = 5

/**
 * Classifies images with the network that was trained. One that cannot be read has its own answer.
 * @param onDone called with the number of images so far
 */
export async function answersOf(
  { model, run }: Trained,
  images: readonly File[],
  onDone: (done: number) => void,
): Promise<Answer[]> {
  const { trust } = run
  const { classes } = run.config
  const answers: Answer[] = []
  for (let start = 0; start < images.length; start += defaultBatchSize) {
    const group = images.slice(start, start + defaultBatchSize)
    const decoded = await Promise.all(group.map((image) => decode(model.engine.host, image)))
    const readings = await readImages(model, decoded.filter(isDecodedImage))
    let next = 0
    for (const [i, image] of decoded.entries()) {
      const { name } = at(group, i)
      if (!isDecodedImage(image)) {
        answers.push({ name, problem: image.problem })
        continue
      }
      const reading = at(readings, next++)
      const probabilities = temperedProbabilities(reading.logits, trust?.temperature ?? 1)
      const top = mostLikely(probabilities)
        .slice(0, topK)
        .map((index) => ({
          class: at(classes, index),
          index,
          probability: at(probabilities, index),
        }))
      answers.push({ name, top, verdict: trust && verdictOf(trust, reading) })
    }
    onDone(start + group.length)
  }
  return answers
}

type Undecoded = { readonly problem: string }

const isDecodedImage = (image: RgbImage | Undecoded): image is RgbImage => 'data' in image

async function decode(
  host: Trained['model']['engine']['host'],
  image: File,
): Promise<RgbImage | Undecoded> {
  try {
    return await host.decodeImage(image, image.name)
  } catch (error) {
    if (error instanceof DataError) return { problem: error.message }
    throw error
  }
}

/** The parts of an image that the network's answer comes from. */
export async function heatMapOf({ model }: Trained, file: File): Promise<HeatMap> {
  const { engine, preprocess } = model
  const image = await engine.host.decodeImage(file, file.name)
  const [reading] = await readImages(model, [image])
  const label = at(mostLikely(reading?.logits ?? new Float32Array()), 0)
  const map = await occlusionMap(model, image, label)
  const { size, resize } = preprocess
  const x = resizeCrop(engine, image, { size, resize })
  const values = await x.data().finally(() => x.dispose())
  const seen = Uint8ClampedArray.from({ length: 4 * size * size }, (_, i) =>
    i % 4 === 3 ? 255 : 255 * at(values, (i % 4) * size * size + Math.floor(i / 4)),
  )
  return { seen, size, map, cells }
}

/** A training step on an image, recorded, as the inspector's page reads it. */
export async function inspectionOf(
  { model, run }: Trained,
  file: File,
  onProgress: (done: number, total: number) => void,
): Promise<string> {
  const { inspection } = await inspect(model, {
    picture: file,
    train: true,
    plan: run.config.plan,
    title: run.name,
    onProgress: (_, done, total) => onProgress(done, total),
  })
  return writeInspection(inspection)
}
