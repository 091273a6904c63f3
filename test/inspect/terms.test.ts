import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../src/base/random.ts'
import { gradientsOf, launchedBy } from '../../src/inspect/calls.ts'
import { testImage } from '../../src/inspect/image.ts'
import { inspect } from '../../src/inspect/inspect.ts'
import type { InspectedCall, Inspection } from '../../src/inspect/inspection.ts'
import { unpackTensor } from '../../src/inspect/pack.ts'
import { readInspection, writeInspection } from '../../src/inspect/plain.ts'
import {
  type ExplainedCall,
  explainOutput,
  explainWeightGradient,
  NotKept,
} from '../../src/inspect/terms.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Conv2dAttrs } from '../../src/ops/conv2d.ts'
import { adaptiveAvgPool2d } from '../../src/reference/adaptiveAvgPool2d.ts'
import { conv2d } from '../../src/reference/conv2d.ts'
import { localResponseNorm } from '../../src/reference/localResponseNorm.ts'
import { ndArray } from '../../src/reference/ndarray.ts'
import { gaussian } from '../../src/reference/random.ts'
import { relu } from '../../src/reference/relu.ts'
import { testEngine } from '../support/engine.ts'
import { inspectSmall } from './inspection.ts'

let inspection: Inspection
beforeAll(async () => {
  inspection = await inspectSmall()
})

function explainedCall(call: InspectedCall): ExplainedCall {
  const keys = { ...gradientsOf(inspection, call), ...call.tensors }
  const tensors = Object.entries(keys).map(([name, key]) => {
    const packed = inspection.tensors[key]
    if (!packed) throw new Error(`there is no tensor ${key}`)
    return [name, { shape: packed.shape, values: unpackTensor(packed) }] as const
  })
  return { operator: call.operator, attrs: call.attrs, tensors: Object.fromEntries(tensors) }
}

const forwardCalls = () => inspection.calls.filter(({ pass }) => pass === 'forward')

/** Random places, and every corner. */
function places(shape: readonly number[], random: Random, count: number): number[][] {
  const corners = Array.from({ length: 2 ** shape.length }, (_, corner) =>
    shape.map((extent, i) => ((corner >> i) & 1 ? extent - 1 : 0)),
  )
  return [
    ...corners,
    ...Array.from({ length: count }, () => shape.map((extent) => random.below(extent))),
  ]
}

describe('a number written out', () => {
  test('is the number that the GPU stored, for every kind of layer, corners included', () => {
    const random = new Random(1)
    const seen = new Set<string>()
    for (const call of forwardCalls()) {
      const one = explainedCall(call)
      const { shape = [], values = [] } = one.tensors.y ?? {}
      for (const at of places(shape, random, 20)) {
        const { result } = explainOutput(one, at)
        const flat = at.reduce((index, position, i) => index * (shape[i] ?? 1) + position, 0)
        expect(result, `${call.layer} y[${at}]`).toBeCloseTo(values[flat] ?? Number.NaN, 4)
      }
      seen.add(call.operator)
    }
    expect([...seen].sort()).toEqual([
      'conv2d',
      'crossEntropy',
      'dropout',
      'linear',
      'maxPool2d',
      'relu',
    ])
  })

  test('is the float64 reference to the last digits', () => {
    for (const call of forwardCalls().filter(({ operator }) => operator === 'conv2d')) {
      const one = explainedCall(call)
      const [x, weight, bias] = ['x', 'weight', 'bias'].map((name) => {
        const { values = [], shape = [] } = one.tensors[name] ?? {}
        return ndArray(values, shape)
      })
      if (!x || !weight || !bias) throw new Error('a tensor is missing')
      // AlexNet has a ReLU after each
      const y = relu(conv2d(x, weight, bias, call.attrs as unknown as Conv2dAttrs))
      for (const at of places(y.shape, new Random(2), 30)) {
        const flat = at.reduce((index, position, i) => index * (y.shape[i] ?? 1) + position, 0)
        const { result, terms, outside, field, beforeRelu, formula } = explainOutput(one, at)
        expect(result).toBeCloseTo(y.data[flat] ?? Number.NaN, 12)
        expect(result).toBe(Math.max(beforeRelu ?? Number.NaN, 0))
        expect(formula).toMatch(/^y\[.+\] = max\(0, bias\[\d+\] \+ Σ over .+\)$/)
        expect(terms.length + outside).toBe(weight.data.length / (weight.shape[0] ?? 1))
        expect((field?.height ?? 0) * (field?.width ?? 0) * (field?.channels ?? 0)).toBe(
          terms.length,
        )
      }
    }
  })

  test('of a ReLU that has no launch is written out from the launch that computed it', () => {
    const relus = forwardCalls().filter(({ operator }) => operator === 'relu')
    expect(relus.map(({ layer }) => layer)).toEqual(
      [1, 4, 7, 9, 11].map((i) => `features.${i}`).concat('classifier.2', 'classifier.5'),
    )
    for (const call of relus) {
      const by = launchedBy(inspection, call)
      expect(by).toMatchObject({ pass: 'forward', attrs: { relu: true } })
      expect(by?.tensors.y).toBe(call.tensors.y)
      expect(by && launchedBy(inspection, by)).toBe(null)
    }
  })

  test('so is one of a weight’s gradient', () => {
    for (const call of forwardCalls().filter(
      ({ operator }) => operator === 'conv2d' || operator === 'linear',
    )) {
      const one = explainedCall(call)
      const { shape = [], values = [] } = one.tensors.dweight ?? {}
      const scale = Math.max(...Array.from(values, Math.abs))
      for (const at of places(shape, new Random(3), 10)) {
        const flat = at.reduce((index, position, i) => index * (shape[i] ?? 1) + position, 0)
        expect(
          Math.abs(explainWeightGradient(one, at).result - (values[flat] ?? Number.NaN)),
        ).toBeLessThan(1e-5 * scale)
      }
    }
  })

  test('what is framed is what was read, and the formula counts as the kernel does', () => {
    const [first] = forwardCalls().filter(({ operator }) => operator === 'conv2d')
    if (!first) throw new Error('there is no convolution')
    const one = explainedCall(first) // 5 x 5, stride 2, padding 2
    for (const [u, v] of [
      [0, 0],
      [2, 4],
      [4, 1],
    ] as const) {
      const { terms, field, formula } = explainWeightGradient(one, [1, 2, u, v])
      const span = (axis: 2 | 3) => {
        const places = terms.map(({ aAt }) => aAt[axis] ?? 0)
        return [Math.min(...places), Math.max(...places) - Math.min(...places) + 1]
      }
      expect([
        [field?.top, field?.height],
        [field?.left, field?.width],
      ]).toEqual([span(2), span(3)])
      const shifted = (name: string, by: number) =>
        by === 0 ? `2 · ${name}` : `2 · ${name} ${by < 0 ? '−' : '+'} ${Math.abs(by)}`
      expect(formula).toMatch(
        `Σ over images n, output rows i and columns j of dy[n, 1, i, j] · x[n, 2, ${shifted('i', u - 2)}, ${shifted('j', v - 2)}]`,
      )
    }
    expect(explainOutput(one, [0, 3, 0, 5]).formula).toMatch(
      'bias[3] + Σ over channels c, filter rows u and columns v of weight[3, c, u, v] · x[0, c, u − 2, v + 8]',
    )
  })

  test('in groups too, at any stride and padding', () => {
    const [x, weight] = [gaussian([1, 6, 7, 6], 5), gaussian([4, 3, 3, 2], 6)]
    const attrs = { stride: [3, 2], padding: [2, 1], groups: 2 } as const
    const y = conv2d(x, weight, null, attrs)
    const [, , height = 0, width = 0] = y.shape
    const tensors = Object.fromEntries(
      Object.entries({ x, weight }).map(([name, { shape, data }]) => [
        name,
        { shape, values: data },
      ]),
    )
    for (const at of places(y.shape, new Random(4), 10)) {
      const [, o = 0, i = 0, j = 0] = at
      const { result, formula } = explainOutput({ operator: 'conv2d', attrs, tensors }, at)
      expect(result).toBeCloseTo(y.data[(o * height + i) * width + j] ?? Number.NaN, 12)
      expect(formula).toContain(`x[0, ${o < 2 ? 'c' : 'c + 3'}, `)
    }
  })

  test('of a pool with padding, which never is the largest', () => {
    const x = { shape: [1, 1, 2, 2], values: [-1, -2, -3, -4] }
    const attrs = { kernel: [3, 3], stride: [2, 2], padding: [1, 1] }
    expect(
      explainOutput({ operator: 'maxPool2d', attrs, tensors: { x } }, [0, 0, 0, 0]),
    ).toMatchObject({ result: -1, outside: 5 })
  })

  test('means over windows and norms over channels too', () => {
    const x = gaussian([1, 5, 7, 6], 1)
    const tensors = { x: { shape: x.shape, values: x.data } }
    const pooled = adaptiveAvgPool2d(x, [3, 4])
    expect(
      explainOutput(
        { operator: 'adaptiveAvgPool2d', attrs: { size: [3, 4] }, tensors },
        [0, 2, 1, 3],
      ).result,
    ).toBeCloseTo(pooled.data[(2 * 3 + 1) * 4 + 3] ?? 0, 12)
    const attrs = { size: 4, alpha: 0.3, beta: 0.75, k: 2 }
    const normed = localResponseNorm(x, attrs)
    for (const channel of [0, 2, 4])
      expect(
        explainOutput({ operator: 'localResponseNorm', attrs, tensors }, [0, channel, 6, 5]).result,
      ).toBeCloseTo(normed.data[(channel * 7 + 6) * 6 + 5] ?? 0, 12)
  })

  test('says so where the recording lacks a value', () => {
    const tensors = {
      x: { shape: [1, 4], values: [1, 2, 3, 4] },
      weight: { shape: [3, 4], values: [1, 1, 1, 1] },
    }
    expect(explainOutput({ operator: 'linear', attrs: {}, tensors }, [0, 0]).result).toBe(10)
    expect(() => explainOutput({ operator: 'linear', attrs: {}, tensors }, [0, 1])).toThrow(NotKept)
  })
})

describe('the inspection', () => {
  test('compares every tensor with float64, and finds none that diverges', () => {
    expect(inspection.numbers.length).toBeGreaterThan(40)
    expect(inspection.numbers.filter(({ ok }) => !ok)).toEqual([])
    expect(new Set(inspection.numbers.map(({ what }) => what))).toEqual(
      new Set(['y', 'dx', 'dweight', 'dbias', 'dlogits', 'p']),
    )
    const drift = inspection.numbers.flatMap(({ sinceImage }) => sinceImage ?? [])
    expect(Math.max(...drift)).toBeLessThan(1e-4)
  })

  test('compares what trains with what is frozen', () => {
    const [last, all] = inspection.compared
    expect(last?.dispatches.length).toBeLessThan(all?.dispatches.length ?? 0)
    expect(last?.omissions).toContain(
      'features.0 weight gradient: not dispatched, the parameter is frozen',
    )
    expect(all?.dispatches.length).toBe(inspection.dispatches.length)
  })

  test('survives JSON', () => {
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection)
  })

  test('reaches the page as it is, of a network that diverged too', () => {
    const [first, ...others] = inspection.numbers
    if (!first) throw new Error('there are no numbers')
    const diverged = {
      ...inspection,
      loss: Number.NaN,
      numbers: [{ ...first, relative: Number.POSITIVE_INFINITY, ok: false }, ...others],
    }
    expect(readInspection(writeInspection(diverged))).toEqual(diverged)
    const worst = { ...first.worst, actual: Number.NEGATIVE_INFINITY }
    expect(
      readInspection(writeInspection({ ...inspection, numbers: [{ ...first, worst }] })).numbers[0]
        ?.worst,
    ).toEqual(worst)
  })
})

test('a network that diverged is inspected too: no likeliest class, and the loss is what it is', async () => {
  const engine = await testEngine()
  const model = await alexnet(engine, {
    variant: 'alexnet-64',
    channels: [4, 4, 4, 4, 4],
    hidden: 8,
    classes: 3,
    seed: 1,
  })
  const weight = new Float32Array(3 * 8).fill(Number.NaN)
  model.loadStateDict({ 'classifier.6.weight': { shape: [3, 8], data: weight } }, { strict: false })
  const { inspection: diverged } = await inspect(model, { train: true, picture: testImage(64) })
  expect(diverged.top).toEqual([])
  expect(diverged.loss).toBeNaN()
  expect(diverged.target).toBe('class 0')
  model.dispose()
})
