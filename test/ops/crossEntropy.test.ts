import { describe, expect, test } from 'vitest'
import { type CrossEntropyOptions, crossEntropy } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { compute, inputsOf } from '../../src/check/operator.ts'
import { specification } from '../../src/reference/crossEntropy.ts'
import { type NdArray, ndArray } from '../../src/reference/ndarray.ts'
import { gaussian, rounded } from '../../src/reference/random.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { ORACLE_TOLERANCE } from '../support/oracle.ts'
import { recipes } from '../support/recipes.ts'

const tolerance = specification.tolerance.of(
  { logits: [1, 1] },
  { targets: Int32Array.of(0), weight: null, labelSmoothing: 0, reduction: 'mean' },
)
const scalarOne = ndArray([1], [])

/** The loss and the gradient of the logits. */
async function run(
  logits: NdArray,
  targets: Int32Array | Float32Array,
  options: CrossEntropyOptions,
  dloss: NdArray | null,
) {
  const attrs = {
    targets,
    weight: options.weight ?? null,
    labelSmoothing: options.labelSmoothing ?? 0,
    reduction: options.reduction ?? 'mean',
  } as const
  const { y, gradients } = await compute(
    await testEngine(),
    specification,
    { logits },
    attrs,
    dloss,
  )
  return { value: y, gradient: gradients.logits ?? [] }
}

describe('crossEntropy', () => {
  const reduced = Object.entries(specification.edges).filter(
    ([, { attrs }]) => attrs.reduction !== 'none',
  )
  test.each(reduced)('%s: backward() without a gradient takes 1', async (_, one) => {
    const { logits } = inputsOf(specification, one, 3)
    if (!logits) throw new Error('there are no logits')
    const expected = specification.backward({ logits }, scalarOne, one.attrs)
    const engine = await testEngine()
    const { gradients } = await compute(engine, specification, { logits }, one.attrs, null)
    const { data, shape } = expected.logits
    expectClose(gradients.logits ?? [], data, shape, { ...tolerance, name: 'dlogits' })
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
    const plain = await run(logits, targets, {}, null)
    const weighted = await run(logits, targets, { weight: new Float32Array(4).fill(1) }, null)
    const soft = await run(
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
      const { value, gradient } = await run(
        ndArray(one.logits, [n, classes]),
        targets,
        options,
        ndArray(one.dloss, reduction === 'none' ? [n] : []),
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
    const { value, gradient } = await run(logits, Int32Array.of(0, 1), { reduction: 'sum' }, null)
    const row = Math.exp(1 - 2)
    expectClose(value, [Math.log(1 + row) + 1], [], { ...tolerance, name: 'loss' })
    expectClose(gradient, [-1 / (1 + row), 0, 0, 1 / (1 + row), 0, 0, 0, 0], [2, 4], {
      ...tolerance,
      name: 'dlogits',
    })
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
