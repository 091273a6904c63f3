/** Every operator of the tape with its float64 reference, its edges, and shapes at random. */
import {
  adaptiveAvgPool2d,
  crossEntropy,
  dropout,
  localResponseNorm,
  maxPool2d,
  relu,
  softmax,
} from '../autograd/functions.ts'
import type { Random } from '../base/random.ts'
import { exact, sumTolerance } from '../reference/compare.ts'
import * as reference from '../reference/index.ts'
import { given, type OperatorCase, type OperatorCheck, operatorSubject } from './operator.ts'
import { between, type Subject } from './subject.ts'
import { conv2dCheck, linearCheck } from './weighted.ts'

/** Height and width. */
type Pair = readonly [number, number]

const anyShape = (random: Random, dimensions: number, longest: number) =>
  Array.from({ length: dimensions }, () => between(random, 1, longest))

const reluCheck: OperatorCheck<'x', object> = {
  name: 'relu',
  inputs: ['x'],
  run: ({ x }) => relu(given(x)),
  forward: ({ x }) => reference.relu(given(x)),
  backward: ({ x }, dy) => ({ x: reference.reluBackward(given(x), dy) }),
  tolerance: () => exact,
  large: { shapes: { x: [2 ** 20] }, attrs: {} },
  edges: [
    { shapes: { x: [3, 7] }, attrs: {}, differences: true },
    { shapes: { x: [257] }, attrs: {} },
    { shapes: { x: [1] }, attrs: {} },
  ],
  draw: (random) => ({ shapes: { x: anyShape(random, between(random, 1, 4), 9) }, attrs: {} }),
}

interface PoolAttrs {
  readonly kernel: Pair
  readonly stride: Pair
  readonly padding: Pair
}
const poolCase = (
  x: readonly number[],
  kernel: Pair,
  stride: Pair,
  padding: Pair = [0, 0],
  differences = false,
): OperatorCase<'x', PoolAttrs> => ({
  shapes: { x },
  attrs: { kernel, stride, padding },
  differences,
})

const maxPool2dCheck: OperatorCheck<'x', PoolAttrs> = {
  name: 'maxPool2d',
  inputs: ['x'],
  run: ({ x }, attrs) => maxPool2d(given(x), attrs),
  forward: ({ x }, attrs) => reference.maxPool2d(given(x), attrs),
  backward: ({ x }, dy, attrs) => ({ x: reference.maxPool2dBackward(given(x), dy, attrs) }),
  // Values are chosen, not computed; a gradient adds up to kernel² of them.
  tolerance: (_, { kernel: [kh, kw] }) => ({ relative: sumTolerance(kh * kw), absolute: 1e-7 }),
  large: poolCase([4, 64, 55, 55], [3, 3], [2, 2]),
  edges: [
    poolCase([2, 3, 7, 8], [3, 2], [2, 1], [0, 0], true),
    poolCase([1, 2, 9, 7], [3, 3], [2, 2], [1, 1]),
    poolCase([2, 2, 6, 6], [2, 2], [2, 2]),
    poolCase([1, 1, 1, 1], [1, 1], [1, 1]),
    poolCase([1, 2, 5, 9], [2, 4], [3, 1], [1, 2]),
  ],
  draw(random) {
    const kernel: Pair = [between(random, 1, 4), between(random, 1, 4)]
    const padding: Pair = [
      random.below(Math.floor(kernel[0] / 2) + 1),
      random.below(Math.floor(kernel[1] / 2) + 1),
    ]
    const extents = kernel.map((side) => side + between(random, 0, 8))
    const stride: Pair = [between(random, 1, 4), between(random, 1, 4)]
    return poolCase(
      [between(random, 1, 3), between(random, 1, 4), ...extents],
      kernel,
      stride,
      padding,
    )
  },
}

interface SizeAttrs {
  readonly size: Pair
}

const adaptiveAvgPool2dCheck: OperatorCheck<'x', SizeAttrs> = {
  name: 'adaptiveAvgPool2d',
  inputs: ['x'],
  run: ({ x }, { size }) => adaptiveAvgPool2d(given(x), size),
  forward: ({ x }, { size }) => reference.adaptiveAvgPool2d(given(x), size),
  backward: ({ x }, dy, { size }) => ({
    x: reference.adaptiveAvgPool2dBackward(given(x), dy, size),
  }),
  // No window holds more than a plane, and no element lies in more windows than there are.
  tolerance({ x }, { size: [height, width] }) {
    const [, , h = 1, w = 1] = x ?? []
    return { relative: sumTolerance(Math.max(h * w, height * width)), absolute: 1e-6 }
  },
  large: { shapes: { x: [4, 256, 27, 27] }, attrs: { size: [6, 6] } },
  edges: [
    { shapes: { x: [2, 3, 7, 5] }, attrs: { size: [3, 2] }, differences: true },
    { shapes: { x: [2, 3, 13, 11] }, attrs: { size: [6, 4] } },
    { shapes: { x: [1, 2, 3, 4] }, attrs: { size: [6, 7] } },
    { shapes: { x: [1, 1, 1, 1] }, attrs: { size: [1, 1] } },
  ],
  draw: (random) => ({
    shapes: { x: [...anyShape(random, 2, 3), ...anyShape(random, 2, 13)] },
    attrs: { size: [between(random, 1, 9), between(random, 1, 9)] },
  }),
}

interface NormAttrs {
  readonly size: number
  readonly alpha: number
  readonly beta: number
  readonly k: number
}

const localResponseNormCheck: OperatorCheck<'x', NormAttrs> = {
  name: 'localResponseNorm',
  inputs: ['x'],
  run: ({ x }, attrs) => localResponseNorm(given(x), attrs),
  forward: ({ x }, attrs) => reference.localResponseNorm(given(x), attrs),
  backward: ({ x }, dy, attrs) => ({ x: reference.localResponseNormBackward(given(x), dy, attrs) }),
  // WGSL lets pow(a, b) be off as exp2(b · log2(a)), whose error grows with the result's exponent:
  // a few units in the sixth place.
  tolerance: () => ({ relative: 5e-6, absolute: 1e-6 }),
  large: { shapes: { x: [1, 96, 55, 55] }, attrs: { size: 5, alpha: 1e-4, beta: 0.75, k: 1 } },
  edges: [
    {
      shapes: { x: [1, 6, 2, 3] },
      attrs: { size: 5, alpha: 0.5, beta: 0.75, k: 1 },
      differences: true,
    },
    { shapes: { x: [2, 8, 3, 5] }, attrs: { size: 5, alpha: 1e-4, beta: 0.75, k: 1 } },
    { shapes: { x: [2, 7, 4, 3] }, attrs: { size: 5, alpha: 2, beta: 0.75, k: 2 } },
    { shapes: { x: [1, 6, 2, 2] }, attrs: { size: 4, alpha: 0.5, beta: 0.75, k: 1 } },
    { shapes: { x: [1, 1, 4, 4] }, attrs: { size: 3, alpha: 1, beta: 0.5, k: 1 } },
  ],
  draw: (random) => ({
    shapes: { x: [between(random, 1, 3), between(random, 1, 9), ...anyShape(random, 2, 5)] },
    attrs: {
      size: between(random, 1, 7),
      alpha: between(random, 1, 10) / 10,
      beta: 0.75,
      k: between(random, 1, 2),
    },
  }),
}

interface DropoutAttrs {
  readonly p: number
  readonly seed: number
}

const dropoutCheck: OperatorCheck<'x', DropoutAttrs> = {
  name: 'dropout',
  inputs: ['x'],
  run: ({ x }, { p, seed }) => dropout(given(x), p, { seed }),
  forward: ({ x }, { p, seed }) => reference.dropout(given(x), p, { seed }),
  backward: (_, dy, { p, seed }) => ({ x: reference.dropoutBackward(dy, p, { seed }) }),
  // One multiplication by a scale that is rounded once.
  tolerance: () => ({ relative: 2 ** -22 }),
  large: { shapes: { x: [2 ** 19] }, attrs: { p: 0.5, seed: 1 } },
  edges: [
    { shapes: { x: [5, 7] }, attrs: { p: 0.5, seed: 3 }, differences: true },
    { shapes: { x: [1] }, attrs: { p: 0.3, seed: 2 ** 40 + 5 } },
    { shapes: { x: [1023] }, attrs: { p: 0.9, seed: 12 } },
    { shapes: { x: [64, 4] }, attrs: { p: 1, seed: 1 } },
  ],
  draw: (random) => ({
    shapes: { x: anyShape(random, between(random, 1, 3), 12) },
    attrs: { p: between(random, 1, 9) / 10, seed: random.below(2 ** 30) },
  }),
}

const softmaxCheck: OperatorCheck<'x', object> = {
  name: 'softmax',
  inputs: ['x'],
  run: ({ x }) => softmax(given(x)),
  forward: ({ x }) => reference.softmax(given(x)),
  backward: ({ x }, dy) => ({ x: reference.softmaxBackward(given(x), dy) }),
  // exp and a division, a few units in the last place each; the gradient subtracts numbers of the
  // size of dy.
  tolerance: () => ({ relative: 2e-6, absolute: 5e-7 }),
  large: { shapes: { x: [512, 1000] }, attrs: {} },
  edges: [
    { shapes: { x: [4, 6] }, attrs: {}, differences: true },
    { shapes: { x: [3, 1] }, attrs: {} },
    { shapes: { x: [3, 1000] }, attrs: {} },
    { shapes: { x: [130, 3] }, attrs: {} },
  ],
  draw: (random) => ({
    shapes: { x: [between(random, 1, 70), between(random, 1, 20)] },
    attrs: {},
  }),
}

interface LossAttrs {
  readonly targets: 'classes' | 'probabilities'
  readonly weighted: boolean
  readonly labelSmoothing: number
  readonly reduction: 'mean' | 'sum' | 'none'
}
const lossCase = (
  rows: number,
  classes: number,
  attrs: Partial<LossAttrs> = {},
  differences = false,
): OperatorCase<'logits', LossAttrs> => ({
  shapes: { logits: [rows, classes] },
  attrs: { targets: 'classes', weighted: false, labelSmoothing: 0, reduction: 'mean', ...attrs },
  differences,
})

/** Targets and class weights that follow from the shape alone. */
function lossInputs(
  [rows = 0, classes = 0]: readonly number[],
  { targets, weighted, labelSmoothing, reduction }: LossAttrs,
) {
  const drawn = reference.uniform(rows * 131 + classes)
  const hard = Int32Array.from({ length: rows }, () => Math.floor(drawn() * classes))
  const soft = new Float32Array(rows * classes)
  for (let row = 0; row < rows; row++) {
    const shares = Array.from({ length: classes }, () => drawn() + 0.01)
    const sum = shares.reduce((a, b) => a + b, 0)
    for (const [c, share] of shares.entries()) soft[row * classes + c] = share / sum
  }
  const weight = weighted ? Float32Array.from({ length: classes }, () => 0.1 + drawn()) : undefined
  return {
    targets: targets === 'classes' ? hard : soft,
    options: { ...(weight ? { weight } : {}), labelSmoothing, reduction },
  }
}

const crossEntropyCheck: OperatorCheck<'logits', LossAttrs> = {
  name: 'crossEntropy',
  inputs: ['logits'],
  run({ logits }, attrs) {
    const { targets, options } = lossInputs(logits?.shape ?? [], attrs)
    return crossEntropy(given(logits), targets, options)
  },
  forward({ logits }, attrs) {
    const { targets, options } = lossInputs(given(logits).shape, attrs)
    return scalarWhereReduced(reference.crossEntropy(given(logits), targets, options), attrs)
  },
  backward({ logits }, dy, attrs) {
    const { targets, options } = lossInputs(given(logits).shape, attrs)
    return { logits: reference.crossEntropyBackward(given(logits), targets, dy, options) }
  },
  // exp and log are a few units in the last place off; the loss of a confident row is a small
  // difference of them.
  tolerance: () => ({ relative: 2e-6, absolute: 1e-6 }),
  large: lossCase(512, 1000),
  edges: [
    lossCase(4, 5, { labelSmoothing: 0.1 }, true),
    lossCase(4, 1),
    lossCase(1, 2, { reduction: 'none' }),
    lossCase(9, 133, { labelSmoothing: 0.1 }),
    lossCase(70, 3, { reduction: 'none', weighted: true }),
    lossCase(65, 5, { targets: 'probabilities' }),
    lossCase(4, 9, {
      targets: 'probabilities',
      weighted: true,
      labelSmoothing: 0.2,
      reduction: 'sum',
    }),
  ],
  draw: (random) =>
    lossCase(between(random, 1, 70), between(random, 1, 20), {
      targets: random.below(2) ? 'classes' : 'probabilities',
      weighted: random.below(2) === 1,
      labelSmoothing: random.below(3) / 10,
      reduction: (['mean', 'sum', 'none'] as const)[random.below(3)] ?? 'mean',
    }),
}

/** The reference gives one element for a scalar; the operator a shape without dimensions. */
function scalarWhereReduced(loss: reference.NdArray, { reduction }: LossAttrs): reference.NdArray {
  return reduction === 'none' ? loss : { shape: [], data: loss.data }
}

/** Every check by its operator's name, with the types of its own inputs and options. */
export const operatorChecks = {
  conv2d: conv2dCheck,
  linear: linearCheck,
  relu: reluCheck,
  maxPool2d: maxPool2dCheck,
  adaptiveAvgPool2d: adaptiveAvgPool2dCheck,
  localResponseNorm: localResponseNormCheck,
  dropout: dropoutCheck,
  softmax: softmaxCheck,
  crossEntropy: crossEntropyCheck,
} as const

export const operatorSubjects: readonly Subject[] = [
  operatorSubject(conv2dCheck),
  operatorSubject(linearCheck),
  operatorSubject(reluCheck),
  operatorSubject(maxPool2dCheck),
  operatorSubject(adaptiveAvgPool2dCheck),
  operatorSubject(localResponseNormCheck),
  operatorSubject(dropoutCheck),
  operatorSubject(softmaxCheck),
  operatorSubject(crossEntropyCheck),
]
