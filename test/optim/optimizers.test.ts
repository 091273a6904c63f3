import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WeightsError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import type { StateDict } from '../../src/base/stateDict.ts'
import { SGD } from '../../src/optim/sgd.ts'
import { sizeOf } from '../../src/tensor/ndbuffer.ts'
import { expectClose } from '../support/compare.ts'
import { loadCase, ORACLE_TOLERANCE, oracleCases, tensorOf } from '../support/oracle.ts'
import {
  bits,
  engine,
  type Kind,
  make,
  type Options,
  parameter,
  reference,
  setGrad,
  values,
} from './support.ts'

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
