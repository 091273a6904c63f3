import { expect, test } from 'vitest'
import type { RgbImage } from '../../src/host/node/decode.ts'
import { Flatten, Linear } from '../../src/nn/layers.ts'
import { Network } from '../../src/nn/network.ts'
import { drawImages } from '../../src/report/occlusion.ts'
import { cells, occlusionMap } from '../../src/report/occlusionMap.ts'
import { testEngine } from '../support/engine.ts'

const size = 32
const image: RgbImage = {
  data: new Uint8Array(3 * size * size).fill(200),
  width: size,
  height: size,
}

/** A network of two classes, the first of which hangs on one cell of the image alone. */
async function looksAt(row: number, column: number): Promise<Network> {
  const engine = await testEngine()
  const linear = new Linear(engine, 'classifier.6', 3 * size * size, 2, {
    weight: 'constant',
    seed: 0,
    stream: 0,
  })
  const weights = new Float32Array(2 * 3 * size * size)
  const edge = size / cells
  for (let y = row * edge; y < (row + 1) * edge; y++)
    for (let x = column * edge; x < (column + 1) * edge; x++) weights[y * size + x] = 4 / edge ** 2
  linear.weight.assign(engine, weights)
  const architecture = { variant: 'linear', channels: [], hidden: 0, dropout: 0, classes: 2 }
  const preprocess = {
    size,
    resize: size,
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    scale: 1,
    order: 'rgb',
  } as const
  return new Network(engine, architecture, preprocess, [new Flatten('flatten'), linear], 0)
}

test('the map is strongest where the answer hangs, and nothing elsewhere', async () => {
  const network = await looksAt(2, 5)
  const map = await occlusionMap(network, image, 0)
  expect(map.length).toBe(cells * cells)
  expect(map.indexOf(Math.max(...map))).toBe(2 * cells + 5)
  // Covered by every square over it: the whole of what it gives, σ(4 · 0.569) − σ(0).
  expect(map[2 * cells + 5]).toBeCloseTo(1 / (1 + Math.exp(-4 * (200 / 255 - 0.5) * 2)) - 0.5, 4)
  expect(map[7 * cells]).toBeCloseTo(0, 6)
  const other = await occlusionMap(network, image, 1)
  for (const [cell, value] of other.entries()) expect(value).toBeCloseTo(-(map[cell] ?? 0), 5)
  network.dispose()
})

test('the images are JPEG in data: URLs', async () => {
  const network = await looksAt(0, 0)
  const { seen, overlaid } = await drawImages(network, image, await occlusionMap(network, image, 0))
  for (const url of [seen, overlaid]) expect(url).toMatch(/^data:image\/jpeg;base64,\/9j\//)
  expect(seen).not.toBe(overlaid)
  network.dispose()
})
