import { describe, expect, test } from 'vitest'
import { gradcheck } from '../../src/reference/gradcheck.ts'
import * as reference from '../../src/reference/index.ts'
import { gaussian } from '../../src/reference/random.ts'
import { exact, expectClose, type Tolerance } from '../support/compare.ts'
import {
  loadCase,
  ORACLE_TOLERANCE,
  type OracleAttrs,
  type OracleTensors,
  oracleCases,
  tensorOf,
} from '../support/oracle.ts'

type NdArray = reference.NdArray

const relative = ORACLE_TOLERANCE.operator

const input = (tensors: OracleTensors, name: string): NdArray => {
  const { shape, data } = tensorOf(tensors, name)
  return reference.ndArray(data, shape)
}

/** An operator of one input: its forward and backward under the attributes of an oracle case. */
interface Unary {
  readonly op: string
  readonly forward: (x: NdArray, attrs: OracleAttrs) => NdArray
  readonly backward: (x: NdArray, dy: NdArray, attrs: OracleAttrs) => NdArray
  readonly tolerance?: Tolerance
  /** Shapes and attributes to take finite differences at; random x has no ties and no zeros. */
  readonly differences: readonly { shape: number[]; attrs: OracleAttrs }[]
}

const pool = ({
  kernel = 0,
  stride = 0,
  padding = 0,
}: OracleAttrs): reference.MaxPool2dOptions => ({ kernel, stride, padding })
const both = ({ output = 0 }: OracleAttrs): readonly [number, number] => [output, output]
const lrn = ({ size = 0, alpha, beta, k }: OracleAttrs): reference.LocalResponseNormOptions => ({
  size,
  alpha,
  beta,
  k,
})

const operators: readonly Unary[] = [
  {
    op: 'relu',
    forward: reference.relu,
    backward: reference.reluBackward,
    tolerance: exact,
    differences: [{ shape: [3, 7], attrs: {} }],
  },
  {
    op: 'maxpool2d',
    forward: (x, attrs) => reference.maxPool2d(x, pool(attrs)),
    backward: (x, dy, attrs) => reference.maxPool2dBackward(x, dy, pool(attrs)),
    differences: [
      { shape: [2, 2, 7, 6], attrs: { kernel: 3, stride: 2, padding: 0 } },
      { shape: [1, 3, 5, 5], attrs: { kernel: 2, stride: 1, padding: 1 } },
    ],
  },
  {
    op: 'adaptiveavgpool2d',
    forward: (x, attrs) => reference.adaptiveAvgPool2d(x, both(attrs)),
    backward: (x, dy, attrs) => reference.adaptiveAvgPool2dBackward(x, dy, both(attrs)),
    differences: [
      { shape: [2, 2, 7, 5], attrs: { output: 3 } },
      { shape: [1, 2, 2, 3], attrs: { output: 4 } },
    ],
  },
  {
    op: 'lrn',
    forward: (x, attrs) => reference.localResponseNorm(x, lrn(attrs)),
    backward: (x, dy, attrs) => reference.localResponseNormBackward(x, dy, lrn(attrs)),
    differences: [
      { shape: [2, 6, 2, 3], attrs: { size: 5, alpha: 0.3, beta: 0.75, k: 2 } },
      { shape: [1, 5, 2, 2], attrs: { size: 2, alpha: 0.5, beta: 0.6, k: 1 } },
      { shape: [1, 3, 1, 2], attrs: { size: 8, alpha: 0.5, beta: 0.6, k: 1 } },
    ],
  },
  {
    op: 'softmax',
    forward: reference.softmax,
    backward: reference.softmaxBackward,
    differences: [
      { shape: [3, 5], attrs: {} },
      { shape: [2, 3, 4], attrs: {} },
    ],
  },
]

describe.each(operators)(
  '$op',
  ({ op, forward, backward, tolerance = { relative }, differences }) => {
    test.each(oracleCases(op))('PyTorch: $name', (one) => {
      const t = loadCase(one)
      const x = input(t, 'x')
      const { shape, data } = tensorOf(t, 'y')
      expectClose(forward(x, one.attrs).data, data, shape, { ...tolerance, name: 'y' })
      expectClose(backward(x, input(t, 'dy'), one.attrs).data, tensorOf(t, 'dx').data, x.shape, {
        ...tolerance,
        name: 'dx',
      })
    })

    test.each(differences)('finite differences: $shape', ({ shape, attrs }) => {
      const x = gaussian(shape, 1)
      const dy = gaussian(forward(x, attrs).shape, 2)
      gradcheck('dx', (v) => forward(v, attrs), x, dy, backward(x, dy, attrs))
    })
  },
)

describe('corners', () => {
  test('relu: no gradient at zero, NaN passes through', () => {
    const x = reference.ndArray([-1, 0, 2, Number.NaN], [4])
    expect([...reference.relu(x).data]).toEqual([0, 0, 2, Number.NaN])
    expect([
      ...reference.reluBackward(
        reference.ndArray([-1, 0, 2], [3]),
        reference.ndArray([5, 6, 7], [3]),
      ).data,
    ]).toEqual([0, 0, 7])
  })

  test('max-pool: the first of equal maxima takes the gradient, padding never does', () => {
    const x = reference.ndArray([-3, -3, -3, -3], [1, 1, 2, 2])
    const options = { kernel: 2, stride: 2, padding: 0 }
    expect([
      ...reference.maxPool2dBackward(x, reference.ndArray([1], [1, 1, 1, 1]), options).data,
    ]).toEqual([1, 0, 0, 0])
    expect([...reference.maxPool2d(x, { kernel: 2, stride: 2, padding: 1 }).data]).toEqual([
      -3, -3, -3, -3,
    ])
  })

  test('softmax: rows add up to one, large values do not overflow', () => {
    const y = reference.softmax(reference.ndArray([1e4, 0, -1e4, 1000, 1000, 1000], [2, 3]))
    expect([...y.data]).toEqual([
      1,
      0,
      0,
      expect.closeTo(1 / 3, 14),
      expect.closeTo(1 / 3, 14),
      expect.closeTo(1 / 3, 14),
    ])
  })
})
