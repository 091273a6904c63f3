import { softmax } from '../autograd/functions.ts'
import { at } from '../base/at.ts'
import { preprocessImages } from '../data/transforms.ts'
import type { RgbImage } from '../host/host.ts'
import type { Network } from '../nn/network.ts'

/** An image is divided into 8 x 8 cells, and squares of 2 x 2 cells are covered. */
export const cells = 8
const covered = 2
const places = cells - covered + 1
/** Covered copies that go through the network together. */
const batchSize = 49

/**
 * The parts of an image that a prediction depends on: a square of the mean color covers one place
 * after the other, and the map holds how much the probability of one class falls (Zeiler & Fergus
 * 2014, arXiv:1311.2901, fig. 7). Only the network's outputs are needed.
 * @param label the class
 * @returns [cells, cells], row by row: the mean fall over the squares that cover a cell, in −1..1;
 * negative where covering raises the probability
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
          sums[cell] = at(sums, cell) + whole - at(probabilities, i)
          counts[cell] = at(counts, cell) + 1
        }
  }
  return sums.map((sum, cell) => sum / at(counts, cell))
}

async function pixelsAndProbability(
  model: Network,
  image: RgbImage,
  label: number,
): Promise<readonly [Float32Array, number]> {
  const x = preprocessImages(model.engine, [image], model.preprocess)
  try {
    const pixels = await x.data()
    return [pixels, at(await probabilityOf(model, x, label), 0)]
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
    const images = at(x.shape, 0)
    const classes = values.length / images
    return Float32Array.from({ length: images }, (_, i) => at(values, i * classes + label))
  } finally {
    logits.dispose()
    y.dispose()
  }
}
