import sharp, { type Sharp } from 'sharp'
import { softmax } from '../autograd/functions.ts'
import { preprocessImages, resizeCrop } from '../data/transforms.ts'
import type { RgbImage } from '../host/node/decode.ts'
import type { Network } from '../nn/network.ts'

/** An image is divided into so many cells each way, and squares of 2 x 2 cells are covered. */
export const cells = 8
const covered = 2
const places = cells - covered + 1
/** Covered copies that go through the network together. */
const batchSize = 49

/**
 * Where a network looks: each place of an image is covered by a square of the mean color, and what
 * the probability of one class loses by it is noted (Zeiler & Fergus 2014, arXiv:1311.2901, fig.
 * 7). It needs nothing of the network but its outputs.
 * @param label the class whose probability is watched
 * @returns [cells, cells], row by row: the mean loss over the squares that cover a cell, in −1..1;
 * negative where covering helps the class
 */
export async function occlusionMap(
  model: Network,
  image: RgbImage,
  label: number,
): Promise<Float64Array> {
  const { engine } = model
  const [pixels, whole] = await pixelsAndProbability(model, image, label)
  const { size } = model.preprocess
  const edge = (cell: number) => Math.round((cell * size) / cells)
  const sums = new Float64Array(cells * cells)
  const counts = new Float64Array(cells * cells)
  const all = Array.from(
    { length: places * places },
    (_, i) => [Math.floor(i / places), i % places] as const,
  )
  for (let start = 0; start < all.length; start += batchSize) {
    const group = all.slice(start, start + batchSize)
    const batch = new Float32Array(group.length * pixels.length)
    for (const [i, [row, column]] of group.entries()) {
      batch.set(pixels, i * pixels.length)
      // 0 is the mean color: preprocessing subtracts it.
      for (let channel = 0; channel < 3; channel++)
        for (let y = edge(row); y < edge(row + covered); y++) {
          const line = i * pixels.length + (channel * size + y) * size
          batch.fill(0, line + edge(column), line + edge(column + covered))
        }
    }
    const x = engine.tensor(batch, [group.length, 3, size, size])
    const probabilities = await probabilityOf(model, x, label).finally(() => x.dispose())
    for (const [i, [row, column]] of group.entries())
      for (let y = row; y < row + covered; y++)
        for (let cx = column; cx < column + covered; cx++) {
          const cell = y * cells + cx
          sums[cell] = (sums[cell] ?? 0) + whole - (probabilities[i] ?? 0)
          counts[cell] = (counts[cell] ?? 0) + 1
        }
  }
  return sums.map((sum, cell) => sum / (counts[cell] ?? 1))
}

async function pixelsAndProbability(
  model: Network,
  image: RgbImage,
  label: number,
): Promise<readonly [Float32Array, number]> {
  const x = preprocessImages(model.engine, [image], model.preprocess)
  try {
    const pixels = await x.data()
    const [probability = 0] = await probabilityOf(model, x, label)
    return [pixels, probability]
  } finally {
    x.dispose()
  }
}

/** The probability of one class for each image of a batch. */
async function probabilityOf(
  model: Network,
  x: Parameters<Network['forward']>[0],
  label: number,
): Promise<Float32Array> {
  const [logits, y] = model.engine.noGrad(() => {
    const logits = model.logits(x)
    return [logits, softmax(logits)] as const
  })
  try {
    const values = await y.data()
    const [n = 1] = x.shape
    const classes = values.length / n
    return Float32Array.from({ length: n }, (_, i) => values[i * classes + label] ?? 0)
  } finally {
    logits.dispose()
    y.dispose()
  }
}

/** Pixels of the images in the report. */
const shown = 192

/** What the network sees of an image, and the same under its occlusion map, as data: URLs. */
export interface Images {
  readonly seen: string
  readonly overlaid: string
}

/**
 * Draws both images of one top loss.
 * @param map as `occlusionMap` gives it; its strongest place is shaded fully
 */
export async function drawImages(
  model: Network,
  image: RgbImage,
  map: Float64Array,
): Promise<Images> {
  const { size, resize } = model.preprocess
  const x = resizeCrop(model.engine, image, { size, resize })
  const values = await x.data().finally(() => x.dispose())
  const rgb = Uint8Array.from({ length: 3 * size * size }, (_, i) =>
    Math.round(255 * (values[(i % 3) * size * size + Math.floor(i / 3)] ?? 0)),
  )
  const seen = await sharp(rgb, { raw: { width: size, height: size, channels: 3 } })
    .resize(shown, shown)
    .png()
    .toBuffer()
  const strongest = Math.max(...map, 1e-6)
  const rgba = Uint8Array.from({ length: 4 * map.length }, (_, i) => {
    const strength = Math.max(0, map[Math.floor(i / 4)] ?? 0) / strongest
    return [255, 64, 0, Math.round(190 * strength)][i % 4] ?? 0
  })
  const heat = await sharp(rgba, { raw: { width: cells, height: cells, channels: 4 } })
    .resize(shown, shown, { kernel: 'cubic' })
    .png()
    .toBuffer()
  const jpeg = async (sheet: Sharp) =>
    `data:image/jpeg;base64,${(await sheet.jpeg({ quality: 82 }).toBuffer()).toString('base64')}`
  return {
    seen: await jpeg(sharp(seen)),
    overlaid: await jpeg(
      sharp(seen)
        .grayscale()
        .toColorspace('srgb')
        .composite([{ input: heat }]),
    ),
  }
}
