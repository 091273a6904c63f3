import { crossEntropy as call } from '../autograd/functions.ts'
import { crossEntropy as op, type Reduction } from '../ops/crossEntropy.ts'
import { kept, type Term, valued, whole } from './explanation.ts'
import { add, at, item, type NdArray, ndArray, two, zeros } from './ndarray.ts'
import { between, uniform } from './random.ts'
import { logSoftmax } from './softmax.ts'
import type { Arrays, Case, Specification } from './specification.ts'

/** Each row's class, or all rows' probabilities. */
type Targets = Int32Array | Float32Array

export interface CrossEntropyOptions {
  readonly weight?: Float32Array | null
  readonly labelSmoothing?: number
  readonly reduction?: Reduction
}

function checkTargets(n: number, classes: number, targets: Targets): void {
  const soft = targets instanceof Float32Array
  if (targets.length !== (soft ? n * classes : n))
    throw new RangeError(`${targets.length} targets for ${n} rows`)
  if (soft) return
  for (const target of targets)
    if (target < 0 || target >= classes)
      throw new RangeError(`target ${target} outside 0..${classes - 1}`)
}

/**
 * The smoothed and weighted target of torch.nn.functional.cross_entropy: w[c] * ((1 - s) * y[i, c]
 * + s / C), where y is the row of probabilities, or 1 for the row's class and 0 for the others.
 */
function share(
  i: number,
  c: number,
  classes: number,
  targets: Targets,
  { weight, labelSmoothing = 0 }: CrossEntropyOptions,
): number {
  const y =
    targets instanceof Float32Array
      ? item(targets, i * classes + c)
      : Number(c === item(targets, i))
  return (weight ? item(weight, c) : 1) * ((1 - labelSmoothing) * y + labelSmoothing / classes)
}

/**
 * What a mean divides by: the weights of the rows' classes, or the number of rows where targets are
 * probabilities or have no weights.
 */
function divisor(
  n: number,
  targets: Targets,
  { weight, reduction = 'mean' }: CrossEntropyOptions,
): number {
  if (reduction !== 'mean') return 1
  return weight && targets instanceof Int32Array
    ? targets.reduce((sum, target) => sum + item(weight, target), 0)
    : n
}

/**
 * loss[i] = - sum over c of share[i, c] * log softmax(logits[i])[c]; 'none' gives [n], 'sum' and
 * 'mean' give a scalar
 */
export function crossEntropy(
  logits: NdArray,
  targets: Targets,
  options: CrossEntropyOptions = {},
): NdArray {
  const [n, classes] = two(logits.shape)
  checkTargets(n, classes, targets)
  const logP = logSoftmax(logits)
  const losses = zeros([n])
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < classes; c++) {
      const q = share(i, c, classes, targets, options)
      // q = 0 times -infinity is 0 here
      if (q > 0) add(losses.data, i, -q * at(logP.data, i * classes + c))
    }
  }
  if (options.reduction === 'none') return losses
  const sum = losses.data.reduce((a, b) => a + b, 0)
  return ndArray([sum / divisor(n, targets, options)], [])
}

/**
 * dlogits[i, c] = dloss[i] * (softmax(logits[i])[c] * sum of share[i] - share[i, c]), where the
 * mean's dloss[i] is dloss / divisor
 */
export function crossEntropyBackward(
  logits: NdArray,
  targets: Targets,
  dloss: NdArray,
  options: CrossEntropyOptions = {},
): NdArray {
  const [n, classes] = two(logits.shape)
  checkTargets(n, classes, targets)
  const logP = logSoftmax(logits)
  const dlogits = zeros(logits.shape)
  for (let i = 0; i < n; i++) {
    const g =
      options.reduction === 'none'
        ? at(dloss.data, i)
        : at(dloss.data, 0) / divisor(n, targets, options)
    let all = 0
    for (let c = 0; c < classes; c++) all += share(i, c, classes, targets, options)
    for (let c = 0; c < classes; c++) {
      const p = Math.exp(at(logP.data, i * classes + c))
      dlogits.data[i * classes + c] = g * (p * all - share(i, c, classes, targets, options))
    }
  }
  return dlogits
}

interface Attrs {
  readonly targets: Targets
  readonly weight: Float32Array | null
  readonly labelSmoothing: number
  readonly reduction: Reduction
}

interface Drawn {
  readonly soft?: boolean
  readonly weighted?: boolean
  readonly labelSmoothing?: number
  readonly reduction?: Reduction
}

/** A case with targets, and weights of the classes where they are asked for, drawn by its shape. */
function shaped(
  rows: number,
  classes: number,
  { soft = false, weighted = false, labelSmoothing = 0, reduction = 'mean' }: Drawn = {},
): Case<Arrays<'logits'>, Attrs> {
  const next = uniform(rows * 131 + classes)
  // Some classes count for nothing, but not where a mean would divide by their weights alone.
  const weight = Float32Array.from({ length: classes }, (_, c) =>
    soft && c % 3 === 1 ? 0 : 0.1 + next(),
  )
  return {
    shapes: { logits: [rows, classes] },
    attrs: {
      targets: soft ? probabilities(rows, classes, next) : classesOf(rows, classes, next),
      weight: weighted ? weight : null,
      labelSmoothing,
      reduction,
    },
  }
}

function classesOf(rows: number, classes: number, next: () => number): Int32Array {
  return Int32Array.from({ length: rows }, () => Math.floor(next() * classes))
}

function probabilities(rows: number, classes: number, next: () => number): Float32Array {
  const all = Array.from({ length: rows }, () => {
    const shares = Array.from({ length: classes }, () => next() + 0.01)
    const sum = shares.reduce((a, b) => a + b, 0)
    return shares.map((share) => share / sum)
  })
  return Float32Array.from(all.flat())
}

const reductions = ['mean', 'sum', 'none'] as const
const minus = Number.NEGATIVE_INFINITY
const ofFirst = (rows: number, labelSmoothing = 0, reduction: Reduction = 'mean'): Attrs => ({
  targets: new Int32Array(rows),
  weight: null,
  labelSmoothing,
  reduction,
})

export const specification: Specification<Arrays<'logits'>, Attrs> = {
  op,
  kernels: ['fast'],
  call: ({ logits }, { targets, weight, ...options }) =>
    call(logits, targets, { ...options, ...(weight ? { weight } : {}) }),
  forward: ({ logits }, { targets, ...options }) => crossEntropy(logits, targets, options),
  backward: ({ logits }, dy, { targets, ...options }) => ({
    logits: crossEntropyBackward(logits, targets, dy, options),
  }),
  tolerance: {
    reason:
      'exp and log are each off by a few units in the last place; ' +
      'the loss of a confident row is a small difference of them.',
    of: () => ({ relative: 2e-6, absolute: 1e-6 }),
  },
  edges: {
    'a smoothed mean': { ...shaped(4, 5, { labelSmoothing: 0.1 }), differences: true },
    'a mean': shaped(5, 7),
    'a sum': shaped(5, 7, { reduction: 'sum' }),
    'each row': shaped(70, 3, { reduction: 'none' }),
    'smoothed, of many classes': shaped(9, 133, { labelSmoothing: 0.1 }),
    'smoothed all the way': shaped(3, 4, { labelSmoothing: 1 }),
    'one class': shaped(4, 1),
    'one row': shaped(1, 2, { reduction: 'none' }),
    'a weighted mean': shaped(5, 7, { weighted: true }),
    'a weighted sum, smoothed': shaped(70, 3, {
      weighted: true,
      labelSmoothing: 0.1,
      reduction: 'sum',
    }),
    'each weighted row': shaped(70, 3, { reduction: 'none', weighted: true }),
    'each weighted row, smoothed': shaped(3, 133, {
      weighted: true,
      labelSmoothing: 0.3,
      reduction: 'none',
    }),
    probabilities: shaped(65, 5, { soft: true }),
    'probabilities, weighted and smoothed': shaped(4, 9, {
      soft: true,
      weighted: true,
      labelSmoothing: 0.2,
      reduction: 'sum',
    }),
    'probabilities of one class': shaped(3, 1, { soft: true, weighted: true, reduction: 'none' }),
    'equal logits': {
      ...shaped(3, 6, { labelSmoothing: 0.1 }),
      values: { logits: new Float32Array(18).fill(-4) },
    },
    'logits of ten thousand': { ...shaped(6, 5), scale: 1e4 },
    'logits of ten thousand, smoothed': {
      ...shaped(6, 5, { labelSmoothing: 0.2, reduction: 'none' }),
      scale: 1e4,
    },
    'logits of ten thousand, weighted': {
      ...shaped(6, 5, { weighted: true, reduction: 'none' }),
      scale: 1e4,
    },
    'probabilities, logits of ten thousand': { ...shaped(4, 5, { soft: true }), scale: 1e4 },
    'a class that is ruled out by minus infinity': {
      shapes: { logits: [1, 4] },
      attrs: ofFirst(1),
      values: { logits: [0, minus, 0, minus] },
    },
    'masked logits, as low as float32 goes': {
      shapes: { logits: [2, 4] },
      attrs: ofFirst(2, 0, 'sum'),
      values: { logits: [1, -3e38, -3e38, 2, 0, -3e38, -3e38, -3e38] },
    },
  },
  draw: (random) => ({
    ...shaped(between(random, 1, 70), between(random, 1, 20), {
      soft: random.below(2) === 1,
      weighted: random.below(2) === 1,
      labelSmoothing: random.below(3) / 10,
      reduction: item(reductions, random.below(3)),
    }),
    scale: random.below(4) ? 1 : 1e4,
  }),
  large: shaped(512, 1000),
  explain(call, position) {
    const { targets, ...options } = call.attrs
    const logits = whole(kept(call, 'logits'))
    const [rows, classes] = two(logits.shape)
    const logP = logSoftmax(logits)
    const terms: Term[] = []
    for (let i = 0; i < rows; i++)
      for (let c = 0; c < classes; c++) {
        const q = share(i, c, classes, targets, options)
        if (q === 0 || (position.length && position[0] !== i)) continue
        terms.push({ a: at(logP.data, i * classes + c), b: -q, aAt: [i, c], bAt: [] })
      }
    const by = divisor(rows, targets, options)
    return valued({
      formula:
        `y[${position.join(', ')}] = Σ over rows n and classes c of ` +
        `−share[n, c] · log softmax(logits)[n, c]${by === 1 ? '' : ` / ${by}`}`,
      names: ['log softmax(logits)', '−share'],
      terms,
      result: terms.reduce((sum, { a, b }) => sum + a * b, 0) / by,
    })
  },
}
