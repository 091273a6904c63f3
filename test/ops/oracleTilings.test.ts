import { afterEach, describe, expect, test } from 'vitest'
import { conv2d, linear } from '../../src/autograd/functions.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { sameBits } from '../support/bits.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { loadCase, ORACLE_TOLERANCE, oracleCases, tensorOf } from '../support/oracle.ts'
import { thoroughTilings } from '../support/tilings.ts'

const engine = await testEngine()
const tilings = engine.gpu.tilings ?? expect.fail('the tests run the fast kernels')

/**
 * Images interleaved by four and not, strides, groups and tails; PyTorch's other cases run in the tiling that
 * the rule chooses.
 */
const files = ['conv2d-bigbatch', 'conv2d-odd', 'conv2d-strided-groups-nobias', 'linear-odd'].map(
  (name) => `${name}.safetensors`,
)

afterEach(() => {
  tilings.override = null
})

describe.each(thoroughTilings(tilings))('as PyTorch, %s', (_, tiling) => {
  test.each(oracleCases().filter(({ file }) => files.includes(file)))('$file', async (one) => {
    let contractions = 0
    tilings.override = (problem) => {
      contractions++
      return { ...tiling, splits: problem.mostSplits > 1 ? 2 : 1 }
    }
    const tensors = loadCase(one)
    const tensor = (name: string) => {
      const { data, shape } = tensorOf(tensors, name)
      return engine.tensor(data, shape, { requiresGrad: name !== 'dy' })
    }
    const [x, weight, bias, dy] = [
      tensor('x'),
      tensor('weight'),
      'bias' in tensors ? tensor('bias') : null,
      tensor('dy'),
    ]
    const { stride = 1, padding = 0, groups = 1 } = one.attrs
    const options = { stride, padding, groups }
    const y = one.op === 'linear' ? linear(x, weight, bias) : conv2d(x, weight, bias, options)
    const rectified = engine.noGrad(() =>
      one.op === 'linear'
        ? linear(x, weight, bias, { relu: true })
        : conv2d(x, weight, bias, { ...options, relu: true }),
    )
    const agrees = async (name: string, actual: Tensor | null) => {
      const { data, shape } = tensorOf(tensors, name)
      expectClose((await actual?.data()) ?? [], data, shape, {
        relative: ORACLE_TOLERANCE.operator,
        name,
      })
    }
    await agrees('y', y)
    const positive = (await y.data()).map((value) => Math.max(value, 0))
    expect(sameBits(await rectified.data(), positive)).toBe(true)
    y.backward(dy)
    await agrees('dx', x.grad)
    await agrees('dweight', weight.grad)
    expect(contractions).toBe(4)
    for (const one of [x, weight, bias, dy, y, rectified]) one?.dispose()
  })
})
