import { relu as op } from '../ops/relu.ts'
import { exact } from './agreement.ts'
import { kept, read, valued } from './explanation.ts'
import { at, type NdArray, zeros } from './ndarray.ts'
import { between, extents } from './random.ts'
import type { Arrays, Specification } from './specification.ts'

/** y = max(x, 0); NaN stays NaN, as in PyTorch */
export function relu(x: NdArray): NdArray {
  return { shape: [...x.shape], data: x.data.map((value) => Math.max(value, 0)) }
}

/** dx = dy where x > 0, else 0 (0 at x = 0) */
export function reluBackward(x: NdArray, dy: NdArray): NdArray {
  const dx = zeros(x.shape)
  for (let i = 0; i < dx.data.length; i++) dx.data[i] = at(x.data, i) > 0 ? at(dy.data, i) : 0
  return dx
}

const shaped = (...x: number[]) => ({ shapes: { x }, attrs: {} })

export const specification: Specification<Arrays<'x'>, object> = {
  op,
  kernels: ['fast'],
  forward: ({ x }) => relu(x),
  backward: ({ x }, dy) => ({ x: reluBackward(x, dy) }),
  tolerance: { reason: 'Values are chosen, not computed.', of: () => exact },
  edges: {
    'both signs': { ...shaped(3, 7), differences: true },
    'zeros of both signs, and the smallest numbers': {
      ...shaped(6),
      values: { x: [-1, 0, 2, -0, 2e-38, -2e-38] },
    },
    'infinity, and NaN, which stays': {
      ...shaped(4),
      values: { x: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 3.4e38] },
    },
    'one number': shaped(1),
    'one number more than a workgroup': shaped(257),
    'four dimensions': shaped(2, 3, 5, 7),
  },
  draw: (random) => shaped(...extents(random, between(random, 1, 4), 9)),
  large: shaped(2 ** 20),
  explain(call, at) {
    const value = read(kept(call, 'x'), at)
    return valued({
      formula: `y[${at.join(', ')}] = max(x, 0)`,
      names: ['x', 'factor'],
      terms: [{ a: value, b: value > 0 ? 1 : 0, aAt: at, bAt: [] }],
      result: Math.max(value, 0),
    })
  },
}
