import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crossEntropy } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import {
  type CrossEntropyOptions,
  crossEntropyBackward,
  crossEntropy as reference,
} from '../../src/reference/crossEntropy.ts'
import { type NdArray, ndArray } from '../../src/reference/ndarray.ts'
import { gaussian, uniform } from '../../src/reference/random.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { int32Of, loadCase, ORACLE_TOLERANCE, oracleCases, tensorOf } from '../support/oracle.ts'
import { recipes } from '../support/recipes.ts'
import { rounded } from '../support/testOp.ts'

/**
 * exp and log are a few units in the last place off; the loss of a confident row is a small
 * difference of them.
 */
const tolerance = { relative: 2e-6, absolute: 1e-6 }

async function compute(
  logits: NdArray,
  targets: Int32Array | Float32Array,
  options: CrossEntropyOptions,
  dloss: NdArray | null,
) {
  const engine = await testEngine()
  const before = engine.memory()
  const x = engine.tensor(Float32Array.from(logits.data), logits.shape, { requiresGrad: true })
  const loss = crossEntropy(x, targets, options)
  const value = await loss.data()
  const dy = dloss ? engine.tensor(Float32Array.from(dloss.data), loss.shape) : undefined
  loss.backward(dy)
  const gradient = (await x.grad?.data()) ?? new Float32Array(0)
  for (const tensor of [x, loss, dy]) tensor?.dispose()
  expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
  return { value, gradient }
}

async function check(
  n: number,
  classes: number,
  options: CrossEntropyOptions,
  seed: number,
  scale = 1,
): Promise<void> {
  const drawn = gaussian([n, classes], seed)
  const logits = rounded({ ...drawn, data: drawn.data.map((value) => value * scale) })
  const next = uniform(seed)
  const targets = Int32Array.from({ length: n }, () => Math.floor(next() * classes))
  const dloss = rounded(gaussian(options.reduction === 'none' ? [n] : [1], seed + 1))
  const wanted = reference(logits, targets, options)
  const one = ndArray([1], [1])
  for (const dy of options.reduction === 'none' ? [dloss] : [dloss, null]) {
    const { value, gradient } = await compute(logits, targets, options, dy)
    expectClose(value, wanted.data, wanted.shape, { ...tolerance, name: 'loss' })
    expectClose(
      gradient,
      crossEntropyBackward(logits, targets, dy ?? one, options).data,
      logits.shape,
      { ...tolerance, name: 'dlogits' },
    )
  }
}

async function checkShares(
  n: number,
  classes: number,
  soft: boolean,
  weighted: boolean,
  given: CrossEntropyOptions,
  seed: number,
) {
  const logits = rounded(gaussian([n, classes], seed))
  const next = uniform(seed)
  const drawn = Float32Array.from({ length: n * classes }, next)
  const row = (i: number) =>
    drawn.subarray(Math.floor(i / classes) * classes, (Math.floor(i / classes) + 1) * classes)
  const targets = soft
    ? drawn.map((value, i) => value / row(i).reduce((a, b) => a + b, 0))
    : Int32Array.from({ length: n }, () => Math.floor(next() * classes))
  // Some classes count for nothing, but not all: a mean over nothing is 0 / 0, in PyTorch too.
  const options = weighted
    ? {
        ...given,
        weight: Float32Array.from({ length: classes }, (_, c) =>
          c % 3 === 1 && soft ? 0 : 0.1 + next(),
        ),
      }
    : given
  const dloss = rounded(gaussian(options.reduction === 'none' ? [n] : [1], seed + 1))
  const { value, gradient } = await compute(logits, targets, options, dloss)
  const wanted = reference(logits, targets, options)
  expectClose(value, wanted.data, wanted.shape, { ...tolerance, name: 'loss' })
  expectClose(gradient, crossEntropyBackward(logits, targets, dloss, options).data, logits.shape, {
    ...tolerance,
    name: 'dlogits',
  })
}

describe('crossEntropy', () => {
  test.each<[string, number, number, CrossEntropyOptions, number]>([
    ['a mean', 5, 7, {}, 1],
    ['a sum', 5, 7, { reduction: 'sum' }, 1],
    ['each row', 70, 3, { reduction: 'none' }, 1],
    ['smoothed', 9, 133, { labelSmoothing: 0.1 }, 2],
    ['smoothed all the way', 3, 4, { labelSmoothing: 1 }, 1],
    ['one class', 4, 1, {}, 1],
    ['one row', 1, 2, {}, 1],
    ['logits of ten thousand', 6, 5, {}, 1e4],
    ['logits of ten thousand, smoothed', 6, 5, { labelSmoothing: 0.2, reduction: 'none' }, 1e4],
  ])('%s', async (_, n, classes, options, scale) => {
    await check(n, classes, options, 3, scale)
  })

  test.each<[string, number, number, boolean, boolean, CrossEntropyOptions]>([
    ['a weighted mean', 5, 7, false, true, {}],
    ['a weighted sum, smoothed', 70, 3, false, true, { labelSmoothing: 0.1, reduction: 'sum' }],
    [
      'each weighted row, smoothed',
      3,
      133,
      false,
      true,
      { labelSmoothing: 0.3, reduction: 'none' },
    ],
    ['probabilities', 65, 5, true, false, {}],
    ['probabilities, weighted and smoothed', 4, 9, true, true, { labelSmoothing: 0.1 }],
    ['probabilities of one class', 3, 1, true, true, { reduction: 'none' }],
  ])('%s', async (_, n, classes, soft, weighted, options) => {
    await checkShares(n, classes, soft, weighted, options, 4)
  })

  test('weights and probabilities, any shape', async () => {
    const options = fc.record({
      labelSmoothing: fc.constantFrom(0, 0.1),
      reduction: fc.constantFrom('mean', 'sum', 'none'),
    })
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 12 }),
      fc.boolean(),
      fc.boolean(),
      options,
      fc.nat(1e6),
      checkShares,
    )
    await fc.assert(property, { numRuns: 25, seed: 6, endOnFailure: true })
  })

  test('one kernel computes loss and gradient, where a gradient is wanted; another only multiplies by a gradient that comes in', async () => {
    const engine = await testEngine()
    const kernels = async (requiresGrad: boolean, dy?: number) => {
      const x = engine.tensor(Float32Array.of(1, 2, 3, 4), [2, 2], { requiresGrad })
      const recorder = engine.record()
      const loss = crossEntropy(x, Int32Array.of(0, 1))
      const given = dy === undefined ? undefined : engine.tensor(Float32Array.of(dy), [])
      if (requiresGrad) loss.backward(given)
      const { dispatches } = await recorder.finish()
      for (const tensor of [x, loss, given]) tensor?.dispose()
      return dispatches.map(({ kernel, constants }) =>
        `${kernel} ${constants.GRADIENT ?? ''}`.trim(),
      )
    }
    expect(await kernels(false)).toEqual(['cross_entropy/forward.wgsl 0', 'reduce/sum.wgsl'])
    expect(await kernels(true)).toEqual(['cross_entropy/forward.wgsl 1', 'reduce/sum.wgsl'])
    expect(await kernels(true, 0.5)).toEqual([
      'cross_entropy/forward.wgsl 1',
      'reduce/sum.wgsl',
      'cross_entropy/backward.wgsl',
    ])
  })

  test('weights of one and probabilities of one give what classes give', async () => {
    const logits = rounded(gaussian([6, 4], 8))
    const targets = Int32Array.of(3, 0, 1, 1, 2, 0)
    const plain = await compute(logits, targets, {}, null)
    const weighted = await compute(logits, targets, { weight: new Float32Array(4).fill(1) }, null)
    const soft = await compute(
      logits,
      Float32Array.from({ length: 24 }, (_, i) => Number(targets[Math.floor(i / 4)] === i % 4)),
      {},
      null,
    )
    for (const other of [weighted, soft]) {
      expectClose(other.value, plain.value, [], { ...tolerance, name: 'loss' })
      expectClose(other.gradient, plain.gradient, [6, 4], { ...tolerance, name: 'dlogits' })
    }
  })

  test('a class ruled out leaves a weighted loss finite', async () => {
    const logits = ndArray(Float32Array.of(1, Number.NEGATIVE_INFINITY, 2), [1, 3])
    const loss = async (given: NdArray) => {
      const engine = await testEngine()
      const x = engine.tensor(Float32Array.from(given.data), given.shape)
      const y = crossEntropy(x, Int32Array.of(0), { weight: Float32Array.of(2, 1, 1) })
      const [value] = await y.data()
      for (const tensor of [x, y]) tensor.dispose()
      return value
    }
    for (const low of [Number.NEGATIVE_INFINITY, -3e38]) {
      logits.data[1] = low
      expectClose([(await loss(logits)) ?? Number.NaN], [Math.log(1 + Math.E)], [], {
        ...tolerance,
        name: `loss beside ${low}`,
      })
    }
  })

  test.each(recipes.losses)(
    'as PyTorch: $n rows, soft $soft, smoothing $labelSmoothing, $reduction',
    async (one) => {
      const { n, classes, soft, weight, labelSmoothing, reduction } = one
      const targets = soft ? Float32Array.from(one.target) : Int32Array.from(one.target)
      const options = {
        labelSmoothing,
        reduction,
        ...(weight ? { weight: Float32Array.from(weight) } : {}),
      }
      const { value, gradient } = await compute(
        ndArray(one.logits, [n, classes]),
        targets,
        options,
        ndArray(one.dloss, [one.dloss.length]),
      )
      expectClose(value, one.loss, [one.loss.length], {
        relative: ORACLE_TOLERANCE.operator,
        name: 'loss',
      })
      expectClose(gradient, one.dlogits, [n, classes], {
        relative: ORACLE_TOLERANCE.operator,
        name: 'dlogits',
      })
    },
  )

  test('masked logits, as low as float32 goes, leave the others their loss', async () => {
    const logits = ndArray(Float32Array.of(1, -3e38, -3e38, 2, -3e38, 0, -3e38, -3e38), [2, 4])
    const { value, gradient } = await compute(
      logits,
      Int32Array.of(0, 1),
      { reduction: 'sum' },
      null,
    )
    const row = Math.exp(1 - 2)
    expectClose(value, [Math.log(1 + row) + 1], [], { ...tolerance, name: 'loss' })
    expectClose(gradient, [-1 / (1 + row), 0, 0, 1 / (1 + row), 0, 0, 0, 0], [2, 4], {
      ...tolerance,
      name: 'dlogits',
    })
  })

  test('any shape', async () => {
    const options = fc.record({
      labelSmoothing: fc.constantFrom(0, 0.1),
      reduction: fc.constantFrom('mean', 'sum', 'none'),
    })
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 12 }),
      options,
      fc.nat(1e6),
      (n, classes, given, seed) => check(n, classes, given, seed),
    )
    await fc.assert(property, { numRuns: 25, seed: 5, endOnFailure: true })
  })

  test.each(oracleCases('crossentropy'))('as PyTorch: $name', async (one) => {
    const t = loadCase(one)
    const array = (name: string) => ndArray(tensorOf(t, name).data, tensorOf(t, name).shape)
    const logits = array('logits')
    const { labelSmoothing = 0, reduction = 'mean' } = one.attrs
    const { value, gradient } = await compute(
      logits,
      int32Of(t, 'target'),
      { labelSmoothing, reduction },
      'dloss' in t ? array('dloss') : null,
    )
    const limit = { relative: ORACLE_TOLERANCE.operator }
    expectClose(value, tensorOf(t, 'loss').data, tensorOf(t, 'loss').shape, {
      ...limit,
      name: 'loss',
    })
    expectClose(gradient, tensorOf(t, 'dlogits').data, logits.shape, { ...limit, name: 'dlogits' })
  })

  test.each<[number[], Int32Array | Float32Array, object, RegExp]>([
    [[2, 3, 1], Int32Array.of(0, 0), {}, /logits are \[N, classes\], not \[2, 3, 1\]/],
    [[2, 3], Int32Array.of(0), {}, /1 targets for logits \[2, 3\]/],
    [[2, 3], Int32Array.of(0, 3), {}, /target 1 is 3, outside the 3 classes/],
    [[2, 3], Int32Array.of(-1, 0), {}, /target 0 is -1/],
    [[2, 3], Int32Array.of(0, 0), { labelSmoothing: 1.5 }, /labelSmoothing lies between 0 and 1/],
    [[2, 3], Int32Array.of(0, 0), { reduction: 'max' }, /reduction is 'mean', 'sum' or 'none'/],
    [[2, 3], new Float32Array(5), {}, /5 probabilities .* for logits \[2, 3\], which take 6/],
    [
      [2, 3],
      Int32Array.of(0, 0),
      { weight: Float32Array.of(1, 2) },
      /2 weights for logits \[2, 3\]/,
    ],
    [[2, 3], Int32Array.of(0, 0), { weight: Float32Array.of(1, -2, 1) }, /weight of class 1 is -2/],
    [[2, 3], Int32Array.of(0, 0), { ignoreIndex: 1 }, /no option ignoreIndex/],
  ])('logits %j, targets %j, %j is refused', async (shape, targets, options, message) => {
    const engine = await testEngine()
    const x = engine.tensor(new Float32Array(6), shape)
    const before = engine.memory()
    expect(() => crossEntropy(x, targets, options)).toThrow(ShapeError)
    expect(() => crossEntropy(x, targets, options)).toThrow(message)
    expect(engine.memory()).toEqual(before)
    x.dispose()
  })
})
