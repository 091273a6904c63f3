import { softmax as op } from '../ops/softmax.ts'
import { kept, read, valued } from './explanation.ts'
import { at, item, type NdArray, zeros } from './ndarray.ts'
import { between, extents } from './random.ts'
import type { Arrays, Specification } from './specification.ts'

/** Where each row of the last dimension starts, and how long it is. */
function rows(x: NdArray): { starts: number[]; width: number } {
  const width = item(x.shape, x.shape.length - 1)
  return { starts: Array.from({ length: x.data.length / width }, (_, row) => row * width), width }
}

/**
 * log softmax over the last dimension: x - max - log(sum of exp(x - max)); subtracting the maximum
 * keeps exp in range
 */
export function logSoftmax(x: NdArray): NdArray {
  const y = zeros(x.shape)
  const { starts, width } = rows(x)
  for (const start of starts) {
    const row = x.data.subarray(start, start + width)
    const max = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    const logSum = Math.log(row.reduce((sum, value) => sum + Math.exp(value - max), 0))
    for (let i = 0; i < width; i++) y.data[start + i] = at(row, i) - max - logSum
  }
  return y
}

/** y[i] = exp(x[i]) / sum over j of exp(x[j]), over the last dimension */
export function softmax(x: NdArray): NdArray {
  return { shape: [...x.shape], data: logSoftmax(x).data.map(Math.exp) }
}

/** dx[i] = y[i] * (dy[i] - sum over j of dy[j] * y[j]) */
export function softmaxBackward(x: NdArray, dy: NdArray): NdArray {
  const y = softmax(x)
  const dx = zeros(x.shape)
  const { starts, width } = rows(x)
  for (const start of starts) {
    let dot = 0
    for (let i = start; i < start + width; i++) dot += at(dy.data, i) * at(y.data, i)
    for (let i = start; i < start + width; i++) dx.data[i] = at(y.data, i) * (at(dy.data, i) - dot)
  }
  return dx
}

const shaped = (...x: number[]) => ({ shapes: { x }, attrs: {} })
const minus = Number.NEGATIVE_INFINITY

export const specification: Specification<Arrays<'x'>, object> = {
  op,
  kernels: ['fast'],
  forward: ({ x }) => softmax(x),
  backward: ({ x }, dy) => ({ x: softmaxBackward(x, dy) }),
  tolerance: {
    reason:
      'exp and a division are each off by a few units in the last place; ' +
      'the gradient subtracts numbers of the size of dy.',
    of: () => ({ relative: 2e-6, absolute: 5e-7 }),
  },
  edges: {
    rows: { ...shaped(4, 6), differences: true },
    'one class': shaped(3, 1),
    'one dimension': shaped(9),
    'three dimensions': shaped(2, 3, 4),
    'a thousand classes': shaped(3, 1000),
    'more rows than a workgroup': shaped(130, 3),
    'equal logits': { ...shaped(2, 5), values: { x: new Float32Array(10).fill(7) } },
    'logits of ten thousand': { ...shaped(5, 6), scale: 1e4 },
    'the largest logits': {
      ...shaped(2, 3),
      values: { x: [1e4, 1e4 - 1, -1e4, 3e38, 3e38, -3e38] },
    },
    'classes that are ruled out by minus infinity': {
      ...shaped(1, 4),
      values: { x: [0, minus, 0, minus] },
    },
  },
  draw: (random) => ({
    ...shaped(...extents(random, between(random, 0, 2), 4), between(random, 1, 70)),
    scale: random.below(3) ? 1 : 1e4,
  }),
  large: shaped(512, 1000),
  explain(call, at) {
    const x = kept(call, 'x')
    const [row, classes] = [at.slice(0, -1), item(x.shape, x.shape.length - 1)]
    const places = Array.from({ length: classes }, (_, c) => [...row, c])
    const logits = places.map((place) => read(x, place))
    const highest = Math.max(...logits)
    const exponentials = logits.map((logit) => Math.exp(logit - highest))
    const sum = exponentials.reduce((total, value) => total + value, 0)
    return valued({
      formula: `y[${at.join(', ')}] = exp(x − ${highest}) / Σ over classes of exp(x − ${highest})`,
      names: ['x', ''],
      terms: places.map((aAt, c) => ({ a: item(logits, c), b: 1, aAt, bAt: [] })),
      result: Math.exp(read(x, at) - highest) / sum,
    })
  },
}
