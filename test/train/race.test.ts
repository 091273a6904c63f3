import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ArrayDataset } from '../../src/data/dataset.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { type Raced, race } from '../../src/train/race.ts'
import { testEngine } from '../support/engine.ts'
import { drawnShapes } from '../support/shapes.ts'

let engine: Engine
let data: ArrayDataset
let raced: Map<string, Raced>
const heard: string[] = []
beforeAll(async () => {
  engine = await testEngine()
  data = await drawnShapes({ train: 4, val: 2 })
  const random = () => alexnet(engine, { variant: 'alexnet-64', seed: 1 })
  const trunk = { scenario: 'small-different' } as const
  raced = await race(
    data,
    [
      {
        name: 'graft',
        scenario: trunk,
        same: 'epochs',
        build: () => alexnet(engine, { weights: 'alexnet-64-tinyimagenet100', seed: 1 }),
      },
      {
        name: 'scratch',
        scenario: { scenario: 'large-different' },
        same: 'seconds',
        build: random,
      },
      { name: 'random', scenario: trunk, same: 'epochs', build: random },
    ],
    {
      batchSize: 8,
      seed: 1,
      epochs: 3,
      seconds: 600,
      onWarmUp: (of) => heard.push(`warm ${of}`),
      onPlan: (of) => heard.push(`plan ${of}`),
      onEvent: (of, { type }) => {
        if (type === 'compile' || type === 'epoch') heard.push(`${type} ${of}`)
      },
    },
  )
})
afterAll(() => {
  for (const { model } of raced.values()) model.dispose()
})

test('whole epochs: the trunks as many, the one from scratch at least one', () => {
  const perEpoch = Math.ceil(data.train.length / 8)
  for (const { points, steps } of raced.values()) expect(steps).toBe(perEpoch * points.length)
  expect(raced.get('graft')?.points.length).toBe(3)
  expect(raced.get('random')?.points.length).toBe(3)
  expect(raced.get('scratch')?.points.length).toBeGreaterThan(0)
  expect(raced.get('scratch')?.plan.frozen).toEqual([])
  expect(raced.get('random')?.plan.startsFrom).toBe('random')
})

test('what is compiled is compiled before a training begins, so it counts for nobody', () => {
  for (const of of ['graft', 'scratch', 'random']) {
    const begun = heard.indexOf(`plan ${of}`)
    expect([heard.indexOf(`warm ${of}`) < begun, begun]).not.toContain(-1)
    expect(heard.lastIndexOf(`compile ${of}`)).toBeLessThan(begun)
  }
})

test('the images that are right are those of the kept epoch', () => {
  for (const { right, kept } of raced.values()) {
    expect(right.length).toBe(data.val.length)
    const share = right.reduce((sum, one) => sum + one, 0) / right.length
    expect(share).toBeCloseTo(kept.valAccuracy, 6)
  }
})
