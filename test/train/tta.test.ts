import { beforeAll, describe, expect, test } from 'vitest'
import { UsageError } from '../../src/base/errors.ts'
import type { ArrayDataset } from '../../src/data/dataset.ts'
import { preprocessImages, viewImages } from '../../src/data/transforms.ts'
import { testViews, windowView } from '../../src/data/view.ts'
import { decodeImage } from '../../src/host/node/decode.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Network } from '../../src/nn/network.ts'
import { evaluate, predict } from '../../src/train/evaluate.ts'
import { averageViews } from '../../src/train/metrics.ts'
import { testEngine } from '../support/engine.ts'
import { drawnShapes } from '../support/shapes.ts'

let data: ArrayDataset
let model: Network
beforeAll(async () => {
  data = await drawnShapes({ train: 1, val: 4, side: 80 })
  model = await alexnet(await testEngine(), {
    variant: 'alexnet-64',
    channels: [8, 8, 12, 12, 8],
    hidden: 16,
    classes: 3,
    seed: 4,
  })
  // Wide enough apart that views differ in what they say.
  for (const parameter of model.parameters()) {
    if (parameter.name === 'classifier.6.weight')
      parameter.assign(
        model.engine,
        Float32Array.from({ length: 48 }, (_, i) => Math.sin(7 * i)),
      )
  }
})

describe('views', () => {
  test('are the ten patches of 2012: the middle and four corners, each and mirrored', () => {
    const views = testViews({ height: 60, width: 90 }, { resize: 256, size: 224 }, 10)
    expect(views[0]).toEqual(windowView({ height: 60, width: 90 }, { resize: 256, size: 224 }))
    expect(views.map(({ top, left, flip }) => [top, left, flip])).toEqual(
      [
        [16, 80],
        [0, 0],
        [0, 160],
        [32, 0],
        [32, 160],
      ].flatMap(([top, left]) => [false, true].map((flip) => [top, left, flip])),
    )
  })

  test('have room to differ where a network sees the whole image', () => {
    const [middle, , corner] = testViews({ height: 64, width: 64 }, { resize: 64, size: 64 }, 3)
    expect([middle?.resized.height, corner?.resized.height]).toEqual([64, 73])
  })
})

/** The mean of the softmax over views, in float64, image by image. */
async function averaged(views: number): Promise<number[][]> {
  const rows: number[][] = []
  for (const { source } of data.val) {
    const image = await decodeImage(source)
    const seen = testViews(image, model.preprocess, views).map((view) => ({ image, view }))
    const x = viewImages(model.engine, seen, model.preprocess)
    const logits = model.engine.noGrad(() => model.forward(x))
    const values = await logits.data()
    for (const tensor of [x, logits]) tensor.dispose()
    const softmax = Array.from({ length: views }, (_, v) => {
      const exps = [0, 1, 2].map((c) => Math.exp(values[3 * v + c] ?? Number.NaN))
      return exps.map((value) => value / exps.reduce((a, b) => a + b))
    })
    rows.push([0, 1, 2].map((c) => softmax.reduce((sum, row) => sum + (row[c] ?? 0), 0) / views))
  }
  return rows
}

test.each([2, 3, 10])('evaluate and predict average the probabilities of %i views', async (tta) => {
  const expected = await averaged(tta)
  const loss =
    data.val.reduce((sum, { label }, i) => sum - Math.log(expected[i]?.[label] ?? Number.NaN), 0) /
    data.val.length
  const result = await evaluate(model, data, { tta, batchSize: 7 })
  expect(result.loss).toBeCloseTo(loss, 5)
  const right = data.val.filter(
    ({ label }, i) => Math.max(...(expected[i] ?? [])) === expected[i]?.[label],
  ).length
  expect([result.count, result.accuracy]).toEqual([12, right / 12])
  const predictions = await predict(
    model,
    data.val.map(({ source }) => source),
    { topK: 3, tta, batchSize: 7 },
  )
  for (const [i, { top }] of predictions.entries())
    for (const { index, probability } of top)
      expect(probability).toBeCloseTo(expected[i]?.[index] ?? Number.NaN, 5)
})

test('a class that no view gives any probability costs what its logits say, and is no failure', () => {
  const { loss, logits } = averageViews(Float32Array.of(0, 2000, 0, 3000), Int32Array.of(0), 2, 2)
  expect(loss).toBeCloseTo(2000 + Math.LN2, 6)
  expect([...logits]).toEqual([Math.fround(-2000 - Math.LN2), 0])
})

test('one view is what validation sees', async () => {
  const [plain, one] = [await evaluate(model, data), await evaluate(model, data, { tta: 1 })]
  expect(one).toEqual(plain)
  const image = await decodeImage(data.val[0]?.source ?? '')
  const inputs = [
    preprocessImages(model.engine, [image], model.preprocess),
    viewImages(
      model.engine,
      [{ image, view: windowView(image, model.preprocess) }],
      model.preprocess,
    ),
  ]
  const [a, b] = await model.engine.read(inputs)
  expect(a).toEqual(b)
  for (const input of inputs) input.dispose()
})

test.each([0, 11, 2.5])('%s views are refused', async (tta) => {
  const refusal = new UsageError(`tta is a number of views from 1 to 10, not ${tta}`)
  await expect(evaluate(model, data, { tta })).rejects.toThrow(refusal)
  await expect(predict(model, [], { tta })).rejects.toThrow(refusal)
})

test.each([0, -1, 2.5, Number.NaN])('a batch of %s images is refused', async (batchSize) => {
  const refusal = new UsageError(`batchSize is a positive integer, not ${batchSize}`)
  await expect(evaluate(model, data, { batchSize })).rejects.toThrow(refusal)
  await expect(predict(model, [], { batchSize })).rejects.toThrow(refusal)
})

test('a part that there is not is refused', async () => {
  await expect(evaluate(model, data, { split: 'test' as 'val' })).rejects.toThrow(
    new UsageError("split is 'train' or 'val', not 'test'"),
  )
})
