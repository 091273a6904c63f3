import { beforeAll, describe, expect, test } from 'vitest'
import { gradientsOf, launchedBy } from '../../src/inspect/calls.ts'
import type { InspectedCall, Inspection } from '../../src/inspect/inspection.ts'
import { unpackTensor } from '../../src/inspect/pack.ts'
import { type ExplainedCall, explained, explainOutput, explainWeightGradient, NotKept } from '../../src/inspect/terms.ts'
import * as reference from '../../src/reference/index.ts'
import { Random } from '../../src/tensor/philox.ts'
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
  const corners = Array.from({ length: 2 ** shape.length }, (_, corner) => shape.map((extent, i) => ((corner >> i) & 1 ? extent - 1 : 0)))
  return [...corners, ...Array.from({ length: count }, () => shape.map((extent) => random.below(extent)))]
}

describe('a number written out', () => {
  test('is the number that the GPU stored, for every kind of layer, corners included', () => {
    const random = new Random(1)
    const seen = new Set<string>()
    for (const call of forwardCalls()) {
      if (!(explained as readonly string[]).includes(call.operator)) continue
      const one = explainedCall(call)
      const { shape = [], values = [] } = one.tensors.y ?? {}
      for (const at of places(shape, random, 20)) {
        const { result } = explainOutput(one, at)
        const flat = at.reduce((index, position, i) => index * (shape[i] ?? 1) + position, 0)
        expect(result, `${call.layer} y[${at}]`).toBeCloseTo(values[flat] ?? Number.NaN, 4)
      }
      seen.add(call.operator)
    }
    expect([...seen].sort()).toEqual(['conv2d', 'dropout', 'linear', 'maxPool2d', 'relu'])
  })

  test('is the float64 reference to the last digits', () => {
    for (const call of forwardCalls().filter(({ operator }) => operator === 'conv2d')) {
      const one = explainedCall(call)
      const [x, weight, bias] = ['x', 'weight', 'bias'].map((name) => {
        const { values = [], shape = [] } = one.tensors[name] ?? {}
        return reference.ndArray(values, shape)
      })
      if (!x || !weight || !bias) throw new Error('a tensor is missing')
      const y = reference.relu(reference.conv2d(x, weight, bias, call.attrs)) // AlexNet has a ReLU after each
      for (const at of places(y.shape, new Random(2), 30)) {
        const flat = at.reduce((index, position, i) => index * (y.shape[i] ?? 1) + position, 0)
        const { result, terms, outside, field, beforeRelu, formula } = explainOutput(one, at)
        expect(result).toBeCloseTo(y.data[flat] ?? Number.NaN, 12)
        expect(result).toBe(Math.max(beforeRelu ?? Number.NaN, 0))
        expect(formula).toMatch(/^y\[.+\] = max\(0, bias\[\d+\] \+ Σ over .+\)$/)
        expect(terms.length + outside).toBe(weight.data.length / (weight.shape[0] ?? 1))
        expect((field?.height ?? 0) * (field?.width ?? 0) * (field?.channels ?? 0)).toBe(terms.length)
      }
    }
  })

  test('of a ReLU that has no launch is written out from the launch that computed it', () => {
    const relus = forwardCalls().filter(({ operator }) => operator === 'relu')
    expect(relus.map(({ layer }) => layer)).toEqual([1, 4, 7, 9, 11].map((i) => `features.${i}`).concat('classifier.2', 'classifier.5'))
    for (const call of relus) {
      const by = launchedBy(inspection, call)
      expect(by).toMatchObject({ pass: 'forward', attrs: { relu: true } })
      expect(by?.tensors.y).toBe(call.tensors.y)
      expect(by && launchedBy(inspection, by)).toBe(null)
    }
  })

  test('so is one of a weight’s gradient', () => {
    for (const call of forwardCalls().filter(({ operator }) => operator === 'conv2d' || operator === 'linear')) {
      const one = explainedCall(call)
      const { shape = [], values = [] } = one.tensors.dweight ?? {}
      const scale = Math.max(...Array.from(values, Math.abs))
      for (const at of places(shape, new Random(3), 10)) {
        const flat = at.reduce((index, position, i) => index * (shape[i] ?? 1) + position, 0)
        expect(Math.abs(explainWeightGradient(one, at).result - (values[flat] ?? Number.NaN))).toBeLessThan(1e-5 * scale)
      }
    }
  })

  test('means over windows and norms over channels too', () => {
    const x = reference.gaussian([1, 5, 7, 6], 1)
    const tensors = { x: { shape: x.shape, values: x.data } }
    const pooled = reference.adaptiveAvgPool2d(x, [3, 4])
    expect(explainOutput({ operator: 'adaptiveAvgPool2d', attrs: { size: [3, 4] }, tensors }, [0, 2, 1, 3]).result).toBeCloseTo(
      pooled.data[(2 * 3 + 1) * 4 + 3] ?? 0,
      12,
    )
    const attrs = { size: 4, alpha: 0.3, beta: 0.75, k: 2 }
    const normed = reference.localResponseNorm(x, attrs)
    for (const channel of [0, 2, 4])
      expect(explainOutput({ operator: 'localResponseNorm', attrs, tensors }, [0, channel, 6, 5]).result).toBeCloseTo(
        normed.data[(channel * 7 + 6) * 6 + 5] ?? 0,
        12,
      )
  })

  test('says so where the recording lacks a value', () => {
    const tensors = { x: { shape: [1, 4], values: [1, 2, 3, 4] }, weight: { shape: [3, 4], values: [1, 1, 1, 1] } }
    expect(explainOutput({ operator: 'linear', attrs: {}, tensors }, [0, 0]).result).toBe(10)
    expect(() => explainOutput({ operator: 'linear', attrs: {}, tensors }, [0, 1])).toThrow(NotKept)
  })
})

describe('the inspection', () => {
  test('compares every tensor with float64, and finds none that diverges', () => {
    expect(inspection.numbers.length).toBeGreaterThan(40)
    expect(inspection.numbers.filter(({ ok }) => !ok)).toEqual([])
    expect(new Set(inspection.numbers.map(({ what }) => what))).toEqual(new Set(['y', 'dx', 'dweight', 'dbias', 'dlogits', 'p']))
    const drift = inspection.numbers.flatMap(({ sincePicture }) => sincePicture ?? [])
    expect(Math.max(...drift)).toBeLessThan(1e-4)
  })

  test('compares what trains with what is frozen', () => {
    const [last, all] = inspection.compared
    expect(last?.dispatches.length).toBeLessThan(all?.dispatches.length ?? 0)
    expect(last?.omissions).toContain('features.0 weight gradient: not dispatched, the parameter is frozen')
    expect(all?.dispatches.length).toBe(inspection.dispatches.length)
  })

  test('survives JSON', () => {
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection)
  })
})
