import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ShapeError, UsageError, WeightsError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import type { StateDict } from '../../src/base/stateDict.ts'
import { Parameter } from '../../src/nn/parameter.ts'
import { Adam } from '../../src/optim/adam.ts'
import { AdamW } from '../../src/optim/adamw.ts'
import type { Optimizer } from '../../src/optim/optimizer.ts'
import { SGD, type SGDOptions } from '../../src/optim/sgd.ts'
import {
  type AdamOptions,
  adam,
  adamw,
  type SgdOptions,
  sgd,
} from '../../src/reference/optimizers.ts'
import { sizeOf } from '../../src/tensor/ndbuffer.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { loadCase, ORACLE_TOLERANCE, oracleCases, tensorOf } from '../support/oracle.ts'

const engine = await testEngine()

type Kind = 'sgd' | 'adam' | 'adamw'
type Options = SgdOptions & AdamOptions

const reference = { sgd, adam, adamw } as const

function make(
  kind: Kind,
  parameters: readonly Parameter[],
  options: Partial<Options> & { readonly lr: number },
): Optimizer {
  if (kind === 'adam') return new Adam(parameters, options)
  if (kind === 'adamw') return new AdamW(parameters, options)
  return new SGD(parameters, options)
}

/** Values with a spread of magnitudes, zeros among them. */
function values(random: Random, n: number): Float32Array {
  return Float32Array.from({ length: n }, () =>
    random.below(8) === 0 ? 0 : random.normal() * 10 ** (random.below(4) - 2),
  )
}

function parameter(
  name: string,
  data: Float32Array,
  shape: readonly number[] = [data.length],
): Parameter {
  return new Parameter(name, engine.tensor(data, shape))
}

function setGrad({ tensor }: Parameter, data: Float32Array): void {
  tensor.grad?.dispose()
  tensor.grad = engine.tensor(data, tensor.shape)
}

const bits = (data: Float32Array | undefined) => [
  ...new Uint32Array(data?.buffer ?? new ArrayBuffer(0), data?.byteOffset, data?.length),
]

describe('PyTorch', () => {
  test.each(oracleCases('optim'))('$name', async (one) => {
    const t = loadCase(one)
    const p = parameter('p', tensorOf(t, 'p0').data)
    const n = p.tensor.size
    const [grads, params] = [tensorOf(t, 'grads').data, tensorOf(t, 'params').data]
    const kind = one.name === 'adam' || one.name === 'adamw' ? one.name : 'sgd'
    const optimizer = make(kind, [p], one.attrs as Options)
    for (let at = 0; at < grads.length; at += n) {
      setGrad(p, grads.slice(at, at + n))
      optimizer.step()
      expectClose(await p.tensor.data(), params.subarray(at, at + n), [n], {
        relative: ORACLE_TOLERANCE.operator,
        name: `step ${at / n + 1}`,
      })
    }
    optimizer.dispose()
    p.dispose()
  })
})

const length = fc.oneof(
  fc.integer({ min: 1, max: 9 }),
  fc.integer({ min: 250, max: 262 }),
  fc.integer({ min: 1, max: 3000 }),
)
const lr = fc.constantFrom(0, 1e-3, 0.05, 0.5)
const weightDecay = fc.constantFrom(0, 1e-3, 0.1)
const beta1 = fc.constantFrom(0, 0.5, 0.9, 0.999)
// Not 0: without a memory of past gradients m / √v has no bound, and a gradient that the decay
// nearly cancels decides alone.
const beta2 = fc.constantFrom(0.5, 0.9, 0.999)
const sgdOptions = fc
  .record({ lr, weightDecay, momentum: fc.constantFrom(0, 0.5, 0.9, 1.1), nesterov: fc.boolean() })
  .map((options) => ({ ...options, nesterov: options.nesterov && options.momentum > 0 }))
const adamOptions = fc.record({
  lr,
  weightDecay,
  betas: fc.tuple(beta1, beta2),
  eps: fc.constantFrom(1e-8, 1e-3),
})
const configuration = fc.oneof(
  fc.record({ kind: fc.constant<Kind>('sgd'), options: sgdOptions }),
  fc.record({ kind: fc.constantFrom<Kind>('adam', 'adamw'), options: adamOptions }),
)

describe('against float64', () => {
  test('any options, length and schedule of the rate', async () => {
    await fc.assert(
      fc.asyncProperty(
        configuration,
        length,
        fc.array(lr, { minLength: 1, maxLength: 5 }),
        fc.nat(),
        async ({ kind, options }, n, rates, seed) => {
          const random = new Random(seed)
          const start = values(random, n)
          const p = parameter('p', start)
          const expected = Float64Array.from(start)
          const [optimizer, exact] = [make(kind, [p], options), reference[kind](options)]
          for (const rate of rates) {
            const grad = values(random, n)
            setGrad(p, grad)
            optimizer.lr = rate
            optimizer.step()
            exact.step(expected, grad, rate)
          }
          // A value that two steps nearly cancel carries their rounding: 1e-6 of the largest rate.
          expectClose(await p.tensor.data(), expected, [n], { relative: 1e-5, absolute: 1e-6 })
          optimizer.dispose()
          p.dispose()
        },
      ),
      { numRuns: 60 },
    )
  })

  test('millions of elements', async () => {
    const n = 4 * 64 * 65_535 + 5
    const p = parameter(
      'p',
      new Float32Array(n).map((_, i) => i % 251),
    )
    setGrad(
      p,
      new Float32Array(n).map((_, i) => i % 7),
    )
    new SGD([p], { lr: 0.5 }).step()
    const data = await p.tensor.data()
    expect(data.findIndex((value, i) => value !== (i % 251) - 0.5 * (i % 7))).toBe(-1)
    p.dispose()
    engine.gpu.trim()
  })
})

const kinds: readonly { kind: Kind; options: Partial<Options> & { lr: number } }[] = [
  { kind: 'sgd', options: { lr: 0.1, momentum: 0.9, weightDecay: 0.1 } },
  { kind: 'adam', options: { lr: 0.1, weightDecay: 0.1 } },
  { kind: 'adamw', options: { lr: 0.1, weightDecay: 0.1 } },
]

describe.each(kinds)('$kind', ({ kind, options }) => {
  test('frozen parameters and those without a gradient keep their bytes, state and step count, whichever flags change between steps', async () => {
    const random = new Random(3)
    const names = ['a', 'b', 'c']
    const parameters = names.map((name) => parameter(name, values(random, 5)))
    const expected = await engine
      .read(parameters.map(({ tensor }) => tensor))
      .then((all) => all.map((data) => Float64Array.from(data)))
    const exact = names.map(() => reference[kind](options))
    const optimizer = make(kind, parameters, options)
    // Which of a, b, c train in each step; '-' trains but has no gradient.
    for (const pattern of ['101', '001', '0-1', '110', '000', '111', '1-0']) {
      const before = await engine.read(parameters.map(({ tensor }) => tensor))
      for (const [i, p] of parameters.entries()) {
        p.trainable = true
        const grad = values(random, 5)
        if (pattern[i] !== '-') setGrad(p, grad)
        if (pattern[i] === '0') {
          p.trainable = false
          // Even a gradient that someone puts there by hand does not move it.
          p.tensor.grad = engine.tensor(grad, [5])
        }
        if (pattern[i] === '1') exact[i]?.step(expected[i] ?? new Float64Array(5), grad)
      }
      optimizer.step()
      optimizer.zeroGrad()
      const after = await engine.read(parameters.map(({ tensor }) => tensor))
      for (const i of names.keys()) {
        if (pattern[i] === '1')
          expectClose(after[i] ?? [], expected[i] ?? [], [5], {
            absolute: 1e-6,
            name: `${names[i]} in ${pattern}`,
          })
        else expect(bits(after[i])).toEqual(bits(before[i]))
      }
    }
    if (kind !== 'sgd')
      expect((await optimizer.stateDict())['step.b']?.data).toEqual(Float32Array.of(2))
    optimizer.dispose()
    for (const p of parameters) p.dispose()
  })

  test('a guard that is not 0 holds the step back, also the first one', async () => {
    const random = new Random(5)
    const [start, grad] = [values(random, 6), values(random, 6)]
    const [held, free] = [parameter('p', start), parameter('p', start)]
    const optimizers = [make(kind, [held], options), make(kind, [free], options)] as const
    const guard = engine.tensor(Float32Array.of(1), [1])
    for (const p of [held, free]) setGrad(p, grad)
    setGrad(held, new Float32Array(6).fill(Number.NaN))
    optimizers[0].step({ guard })
    expect(bits(await held.tensor.data())).toEqual(bits(start))
    const state = await optimizers[0].stateDict()
    for (const [name, { data }] of Object.entries(state))
      if (!name.startsWith('step.')) expect([...data]).toEqual([0, 0, 0, 0, 0, 0])

    setGrad(held, grad)
    optimizers[0].loadStateDict({})
    const open = engine.tensor(Float32Array.of(0), [])
    optimizers[0].step({ guard: open })
    optimizers[1].step()
    expect(bits(await held.tensor.data())).toEqual(bits(await free.tensor.data()))
    for (const thing of [...optimizers, held, free, guard, open]) thing.dispose()
  })

  test('state is made at the first step and freed; zeroGrad gives the gradients back', () => {
    const before = engine.memory()
    const parameters = ['a', 'b'].map((name) => parameter(name, new Float32Array(100)))
    const [a, b] = parameters
    if (a && b) {
      b.trainable = false
      setGrad(a, new Float32Array(100))
    }
    const optimizer = make(kind, parameters, options)
    expect(engine.memory().buffers).toBe(before.buffers + 3)
    optimizer.step()
    optimizer.step()
    const slots = kind === 'sgd' ? 1 : 2
    expect(engine.memory().buffers).toBe(before.buffers + 3 + slots)
    optimizer.zeroGrad()
    expect(a?.grad).toBeNull()
    expect(engine.memory().buffers).toBe(before.buffers + 2 + slots)
    optimizer.dispose()
    for (const p of parameters) p.dispose()
    expect(engine.memory()).toMatchObject({ buffers: before.buffers, liveBytes: before.liveBytes })
  })

  test('resumed from its state it takes the same steps, bit for bit', async () => {
    const random = new Random(7)
    const [start, grads] = [values(random, 12), Array.from({ length: 5 }, () => values(random, 12))]
    const first = parameter('features.0.weight', start, [3, 4])
    let optimizer = make(kind, [first, parameter('features.0.bias', start)], options)
    for (const grad of grads.slice(0, 3)) {
      setGrad(first, grad)
      optimizer.step()
    }
    const state = await optimizer.stateDict()
    const slots = kind === 'sgd' ? ['momentum'] : ['m', 'v', 'step']
    expect(Object.keys(state)).toEqual(slots.map((slot) => `${slot}.features.0.weight`))
    for (const { shape, data } of Object.values(state)) expect(data.length).toBe(sizeOf(shape))

    const second = parameter('features.0.weight', await first.tensor.data(), [3, 4])
    const bias = parameter('features.0.bias', start)
    const resumed = make(kind, [bias, second], options)
    setGrad(bias, start)
    resumed.step()
    resumed.loadStateDict(state)
    expect(await resumed.stateDict()).toEqual(state)
    for (const grad of grads.slice(3)) {
      for (const p of [first, second]) setGrad(p, grad)
      optimizer.step()
      resumed.step()
    }
    expect(bits(await second.tensor.data())).toEqual(bits(await first.tensor.data()))
    for (const thing of [...optimizer.parameters, ...resumed.parameters, optimizer, resumed])
      thing.dispose()

    optimizer = make(kind, [parameter('w', start)], options)
    expect(await optimizer.stateDict()).toEqual({})
    optimizer.parameters[0]?.dispose()
  })

  test('state that does not fit changes nothing', async () => {
    const p = parameter('p', new Float32Array(3))
    const optimizer = make(kind, [p], options)
    setGrad(p, Float32Array.of(1, 2, 3))
    optimizer.step()
    const state = await optimizer.stateDict()
    const slot = kind === 'sgd' ? 'momentum.p' : 'v.p'
    const refuse = (change: StateDict, message: RegExp) => {
      expect(() => optimizer.loadStateDict({ ...state, ...change })).toThrow(WeightsError)
      expect(() => optimizer.loadStateDict({ ...state, ...change })).toThrow(message)
    }
    refuse(
      { 'momentum.q': { shape: [3], data: new Float32Array(3) } },
      /has momentum\.q, which belongs to none/,
    )
    refuse(
      { [slot]: { shape: [1, 3], data: new Float32Array(3) } },
      /has the shape \[1, 3\] and 3 values, the parameter \[3\]/,
    )
    refuse(
      { [slot]: { shape: [3], data: new Float32Array(2) } },
      /has the shape \[3\] and 2 values/,
    )
    if (kind !== 'sgd') {
      refuse(
        { 'step.p': { shape: [], data: Float32Array.of(1.5) } },
        /step\.p is 1\.5, not a number of steps/,
      )
      const { 'm.p': _, ...rest } = state
      expect(() => optimizer.loadStateDict(rest)).toThrow(/the state of p lacks m\.p/)
    }
    expect(await optimizer.stateDict()).toEqual(state)
    optimizer.dispose()
    p.dispose()
  })
})

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
