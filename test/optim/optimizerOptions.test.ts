import { describe, expect, test } from 'vitest'
import { ShapeError, UsageError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import type { Parameter } from '../../src/nn/parameter.ts'
import { Adam } from '../../src/optim/adam.ts'
import { AdamW } from '../../src/optim/adamw.ts'
import { SGD, type SGDOptions } from '../../src/optim/sgd.ts'
import { expectClose } from '../support/compare.ts'
import { engine, type Kind, parameter, reference, setGrad, values } from './support.ts'

describe('options', () => {
  test('SGD without momentum keeps no state', async () => {
    const p = parameter('p', Float32Array.of(1))
    setGrad(p, Float32Array.of(1))
    const before = engine.memory().buffers
    const optimizer = new SGD([p], { lr: 0.5 })
    optimizer.step()
    expect(engine.memory().buffers).toBe(before)
    expect(await optimizer.stateDict()).toEqual({})
    expect(await p.tensor.data()).toEqual(Float32Array.of(0.5))
    p.dispose()
  })

  test('defaults are PyTorch’s', async () => {
    const random = new Random(11)
    for (const kind of ['adam', 'adamw'] as const) {
      const [start, grad] = [values(random, 7), values(random, 7)]
      const p = parameter('p', start)
      setGrad(p, grad)
      const optimizer = kind === 'adam' ? new Adam([p]) : new AdamW([p])
      optimizer.step()
      const expected = Float64Array.from(start)
      reference[kind]({ lr: 1e-3 }).step(expected, grad)
      expectClose(await p.tensor.data(), expected, [7], { relative: 1e-6 })
      optimizer.dispose()
      p.dispose()
    }
  })

  const p = parameter('p', Float32Array.of(1))
  const makeSgd = (options: object) => () => new SGD([p], { lr: 0.1, ...options })
  const makeAdam = (options: object) => () => new Adam([p], options)
  const makeAdamW = (options: object) => () => new AdamW([p], options)
  test.each<[string, () => unknown, string]>([
    [
      'no rate',
      () => new SGD([p], {} as SGDOptions),
      'SGD: lr is undefined: give a number of 0 or more',
    ],
    ['a negative rate', makeSgd({ lr: -1 }), 'SGD: lr is -1: give a number of 0 or more'],
    [
      'an infinite rate',
      makeAdam({ lr: Number.POSITIVE_INFINITY }),
      'Adam: lr is Infinity: give a number of 0 or more',
    ],
    ['a rate in words', makeAdamW({ lr: '0.1' }), 'AdamW: lr is 0.1: give a number of 0 or more'],
    [
      'a negative momentum',
      makeSgd({ momentum: -0.1 }),
      'SGD: momentum is -0.1: give a number of 0 or more',
    ],
    [
      'a negative decay',
      makeSgd({ weightDecay: -1 }),
      'SGD: weightDecay is -1: give a number of 0 or more',
    ],
    [
      'nesterov without momentum',
      makeSgd({ nesterov: true }),
      'SGD: nesterov looks ahead along the momentum: give a momentum above 0',
    ],
    [
      'an unknown option',
      makeSgd({ dampening: 0.1 }),
      'SGD: there is no option dampening; it takes lr, momentum, weightDecay, nesterov',
    ],
    [
      'amsgrad',
      makeAdam({ amsgrad: true }),
      'Adam: there is no option amsgrad; it takes lr, betas, eps, weightDecay',
    ],
    [
      'a beta of 1',
      makeAdam({ betas: [0.9, 1] }),
      'Adam: betas is [0.9,1]: give two numbers in [0, 1)',
    ],
    [
      'a negative beta',
      makeAdamW({ betas: [-0.1, 0.9] }),
      'AdamW: betas is [-0.1,0.9]: give two numbers in [0, 1)',
    ],
    ['one beta', makeAdamW({ betas: [0.9] }), 'AdamW: betas is [0.9]: give two numbers in [0, 1)'],
    ['a NaN eps', makeAdam({ eps: Number.NaN }), 'Adam: eps is NaN: give a number of 0 or more'],
    [
      'a negative decay of AdamW',
      makeAdamW({ weightDecay: -1 }),
      'AdamW: weightDecay is -1: give a number of 0 or more',
    ],
    ['no parameters', () => new SGD([], { lr: 1 }), 'SGD: there are no parameters to optimize'],
    ['a parameter twice', () => new Adam([p, p]), 'Adam: the parameter p is given twice'],
    [
      'a step’s option',
      () => new Adam([p]).step({ closure: null } as object),
      'Adam.step: there is no option closure; it takes guard',
    ],
  ])('%s', (_, run, message) => {
    expect(run).toThrow(new UsageError(message))
    expect(run).toThrow(UsageError)
  })

  test('the rate may change at any time, to a number of 0 or more', () => {
    const optimizer = new SGD([p], { lr: 1 })
    optimizer.lr = 0
    expect(() => {
      optimizer.lr = Number.NaN
    }).toThrow(UsageError)
    expect(optimizer.lr).toBe(0)
  })

  test('a guard of two elements', () => {
    const guard = engine.tensor(new Float32Array(2), [2])
    expect(() => new SGD([p], { lr: 1 }).step({ guard })).toThrow(ShapeError)
    guard.dispose()
  })
})

describe('groups', () => {
  test.each<Kind>(['sgd', 'adam', 'adamw'])(
    '%s: each has its own rate, and momentum may change between steps',
    async (kind) => {
      const random = new Random(5)
      const starts = [values(random, 5), values(random, 70), values(random, 3)]
      const parameters = starts.map((start, i) => parameter(`p${i}`, start))
      const options = { lr: 0.1, weightDecay: 0.01, ...(kind === 'sgd' ? { momentum: 0.9 } : {}) }
      const [a, b, c] = parameters as [Parameter, Parameter, Parameter]
      const given = [{ parameters: [a], lr: 0.001 }, { parameters: [b, c] }]
      const optimizer =
        kind === 'adam'
          ? new Adam(given, options)
          : kind === 'adamw'
            ? new AdamW(given, options)
            : new SGD(given, options)
      expect([optimizer.groups.map(({ lr }) => lr), optimizer.lr, optimizer.momentum]).toEqual([
        [0.001, 0.1],
        0.1,
        0.9,
      ])
      const schedule = [
        { rates: [0.001, 0.1], momentum: 0.9 },
        { rates: [0.5, 0], momentum: 0.85 },
        { rates: [0.02, 0.3], momentum: 0.95 },
      ]
      const exact = starts.map((start, i) => ({
        values: Float64Array.from(start),
        group: i === 0 ? 0 : 1,
        state: reference[kind](options),
      }))
      for (const { rates, momentum } of schedule) {
        for (const [i, group] of optimizer.groups.entries()) group.lr = rates[i] ?? 0
        optimizer.momentum = momentum
        for (const [i, one] of exact.entries()) {
          const grad = values(random, one.values.length)
          setGrad(parameters[i] as Parameter, grad)
          one.state.step(one.values, grad, rates[one.group], momentum)
        }
        optimizer.step()
      }
      for (const [i, one] of exact.entries())
        expectClose(
          await (parameters[i] as Parameter).tensor.data(),
          one.values,
          [one.values.length],
          { relative: 1e-5, absolute: 1e-6 },
        )
      optimizer.lr = 0.25
      expect(optimizer.groups.map(({ lr }) => lr)).toEqual([0.25, 0.25])
      expect(() => {
        optimizer.momentum = -1
      }).toThrow(UsageError)
      optimizer.dispose()
      for (const p of parameters) p.dispose()
    },
  )

  test('a parameter in two groups, and momentum where no state is kept, are refused', () => {
    const p = parameter('p', Float32Array.of(1))
    expect(() => new SGD([{ parameters: [p] }, { parameters: [p] }], { lr: 0.1 })).toThrow(
      /given twice/,
    )
    const plain = new SGD([p], { lr: 0.1 })
    expect(() => {
      plain.momentum = 0.9
    }).toThrow(UsageError)
    p.dispose()
  })
})
