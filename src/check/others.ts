/**
 * What has kernels beside the tape's operators: gradient sums, optimizers, image transforms, and
 * the watch for NaN.
 */

import { Random } from '../base/random.ts'
import { augmentationOf, drawAugmentation } from '../data/augment.ts'
import { augmentImages } from '../data/augmentImages.ts'
import { preprocessImages } from '../data/transforms.ts'
import { Parameter } from '../nn/parameter.ts'
import type { Preprocess } from '../nn/preprocess.ts'
import { allFinite } from '../ops/finite.ts'
import { mixRows } from '../ops/mix.ts'
import { Adam } from '../optim/adam.ts'
import { AdamW } from '../optim/adamw.ts'
import { WeightAverage } from '../optim/average.ts'
import { clipGradNorm } from '../optim/clip.ts'
import { markNonFinite } from '../optim/health.ts'
import type { Optimizer } from '../optim/optimizer.ts'
import { SGD } from '../optim/sgd.ts'
import { exact, sumTolerance, type Tolerance } from '../reference/compare.ts'
import * as reference from '../reference/index.ts'
import { sizeOf } from '../tensor/ndbuffer.ts'
import { between, type CheckCase, describeCase, type Finding, type Subject } from './subject.ts'

function finding(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  shape: readonly number[],
  tolerance: Tolerance,
): Finding {
  return { what, passes: null, against: 'reference', actual, expected, shape, tolerance }
}

const values = (random: Random, n: number) =>
  Float32Array.from({ length: n }, () => random.normal())

/** Two gradients that meet in one tensor. */
function addCase(shape: readonly number[], seed: number): CheckCase {
  return {
    description: describeCase({ x: shape }, {}),
    async run(engine) {
      const random = new Random(seed)
      const n = sizeOf(shape)
      const [a, b] = [values(random, n), values(random, n)]
      const x = engine.tensor(new Float32Array(n), shape, { requiresGrad: true })
      const tensors = [a, b].map((data) => engine.tensor(data, shape))
      for (const tensor of tensors) x.backward(tensor)
      const sum = (await x.grad?.data()) ?? new Float32Array(0)
      for (const tensor of [x, ...tensors]) tensor.dispose()
      return [
        finding(
          'a + b',
          sum,
          a.map((value, i) => value + (b[i] ?? 0)),
          shape,
          exact,
        ),
      ]
    },
  }
}

const addSubject: Subject = {
  name: 'add',
  kernels: ['fast'],
  cases: (random, drawn) => [
    addCase([1], 1),
    addCase([257], 2),
    ...Array.from({ length: drawn }, () =>
      addCase([between(random, 1, 9), between(random, 1, 300)], random.below(2 ** 20)),
    ),
  ],
}

const optimizers = {
  SGD: (p: Parameter[]) => new SGD(p, { lr: 0.05, weightDecay: 0.01 }),
  'SGD with momentum': (p: Parameter[]) =>
    new SGD(p, { lr: 0.05, momentum: 0.9, weightDecay: 0.01 }),
  'SGD with Nesterov momentum': (p: Parameter[]) =>
    new SGD(p, { lr: 0.05, momentum: 0.9, nesterov: true }),
  Adam: (p: Parameter[]) => new Adam(p, { lr: 0.01, weightDecay: 0.1 }),
  AdamW: (p: Parameter[]) => new AdamW(p, { lr: 0.01, weightDecay: 0.1 }),
} as const satisfies Readonly<Record<string, (parameters: Parameter[]) => Optimizer>>
type OptimizerName = keyof typeof optimizers

const referenceOptimizers: Readonly<Record<OptimizerName, () => reference.Optimizer>> = {
  SGD: () => reference.sgd({ lr: 0.05, weightDecay: 0.01 }),
  'SGD with momentum': () => reference.sgd({ lr: 0.05, momentum: 0.9, weightDecay: 0.01 }),
  'SGD with Nesterov momentum': () => reference.sgd({ lr: 0.05, momentum: 0.9, nesterov: true }),
  Adam: () => reference.adam({ lr: 0.01, weightDecay: 0.1 }),
  AdamW: () => reference.adamw({ lr: 0.01, weightDecay: 0.1 }),
}

/** Three steps, the last one held back by its guard. */
function optimizerCase(name: OptimizerName, n: number, seed: number): CheckCase {
  return {
    description: `${n} values, three steps and one held back`,
    async run(engine) {
      const random = new Random(seed)
      const start = values(random, n)
      const parameter = new Parameter('p', engine.tensor(start, [n]))
      const optimizer = optimizers[name]([parameter])
      const expected = Float64Array.from(start)
      const judge = referenceOptimizers[name]()
      const open = engine.tensor(Float32Array.of(0), [1])
      const held = engine.tensor(Float32Array.of(1), [1])
      for (const guard of [open, null, open, held]) {
        const gradient = values(random, n)
        parameter.tensor.grad = engine.tensor(gradient, [n])
        optimizer.step(guard ? { guard } : {})
        optimizer.zeroGrad()
        if (guard !== held) judge.step(expected, gradient)
      }
      const actual = await parameter.tensor.data()
      for (const one of [optimizer, parameter, open, held]) one.dispose()
      // Three steps of a few roundings each.
      return [finding(name, actual, expected, [n], { relative: 1e-6 })]
    },
  }
}

const optimizerNames = Object.keys(optimizers) as OptimizerName[]
const optimizerSubject: Subject = {
  name: 'optimizers',
  kernels: ['fast'],
  cases: (random, drawn) => [
    ...optimizerNames.map((name, i) => optimizerCase(name, 5 + i, i + 1)),
    ...Array.from({ length: drawn }, (_, i) =>
      optimizerCase(
        optimizerNames[i % optimizerNames.length] ?? 'SGD',
        between(random, 1, 400),
        random.below(2 ** 20),
      ),
    ),
  ],
}

const imageNet: Preprocess = {
  size: 8,
  resize: 9,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  scale: 1,
  order: 'rgb',
}
const caffe: Preprocess = {
  size: 8,
  resize: 9,
  mean: [104, 117, 123],
  std: [1, 1, 1],
  scale: 255,
  order: 'bgr',
}

/**
 * An image resized, cut and normalized; and one in a random view, turned, its colors changed, a
 * part of it erased.
 */
function imageCase(width: number, height: number, seed: number): CheckCase {
  const preprocess = seed % 2 ? imageNet : caffe
  const { size, scale, std } = preprocess
  return {
    description: `image ${width} x ${height}, ${preprocess.order}`,
    async run(engine) {
      const random = new Random(seed)
      const image = {
        data: Uint8Array.from({ length: 3 * width * height }, () => random.below(256)),
        width,
        height,
      }
      const draws = [1, 2].map((stream) =>
        drawAugmentation(new Random(seed, stream), everyChange, image, preprocess),
      )
      const plain = preprocessImages(engine, [image, image], preprocess)
      const augmented = augmentImages(engine, [image, image], draws, preprocess)
      const [a = new Float32Array(0), b = new Float32Array(0)] = await engine.read([
        plain,
        augmented,
      ])
      for (const tensor of [plain, augmented]) tensor.dispose()
      const whole = reference.cropFlipNormalize(reference.resizeCrop(image, preprocess), {
        ...preprocess,
        top: 0,
        left: 0,
        flip: false,
      })
      // Values in 0..1 carry the rounding of a few dozen operations, and the point a turn reads
      // from is off by up to 2e-6 pixels; normalization divides by a deviation, or multiplies by
      // 255.
      const tolerance = { relative: 1e-5, absolute: (4e-6 * scale) / Math.min(...std) }
      const expected = draws.flatMap((draw) => [...reference.augment(image, draw, preprocess)])
      return [
        finding('resize and cut', a, [...whole.data, ...whole.data], [2, 3, size, size], tolerance),
        finding('augment', b, expected, [2, 3, size, size], tolerance),
      ]
    },
  }
}

const everyChange = augmentationOf({
  crop: [0.3, 1],
  flip: 0.5,
  rotation: 30,
  brightness: 0.4,
  contrast: 0.4,
  saturation: 0.4,
  hue: 0.1,
  erase: 0.5,
})

const imageSubject: Subject = {
  name: 'transforms',
  kernels: ['fast'],
  cases: (random, drawn) => [
    imageCase(9, 9, 1),
    imageCase(31, 20, 2),
    imageCase(5, 64, 3),
    imageCase(211, 90, 4),
    ...Array.from({ length: drawn }, () =>
      imageCase(between(random, 1, 90), between(random, 1, 90), random.below(2 ** 20)),
    ),
  ],
}

/** Gradients clipped to a norm, and weights averaged over a few steps. */
function trainingCase(n: number, seed: number): CheckCase {
  return {
    description: `${n} values`,
    async run(engine) {
      const random = new Random(seed)
      const [start, gradient] = [values(random, n), values(random, n)]
      const parameter = new Parameter('p', engine.tensor(start, [n]))
      const averages = new WeightAverage([parameter], 0.5, { warmUp: false })
      const expected = Float64Array.from(start)
      for (let step = 0; step < 3; step++) {
        const next = values(random, n)
        parameter.assign(engine, next)
        averages.update()
        for (let i = 0; i < n; i++) expected[i] = 0.5 * (expected[i] ?? 0) + 0.5 * (next[i] ?? 0)
      }
      parameter.tensor.grad = engine.tensor(gradient, [n])
      const norm = engine.tensor(new Float32Array(2), [2])
      clipGradNorm(engine.gpu, [parameter], 0.75, norm.buffer)
      const clipped = engine.readLater([parameter.tensor.grad])
      averages.swap()
      const [average = new Float32Array(0)] = await engine.read([parameter.tensor])
      const [scaled = new Float32Array(0)] = await clipped()
      const size = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0))
      const factor = Math.min(0.75 / (size + 1e-6), 1)
      for (const one of [averages, parameter, norm]) one.dispose()
      return [
        finding('averaged weights', average, expected, [n], { relative: 1e-6 }),
        finding(
          'clipped gradient',
          scaled,
          gradient.map((value) => factor * value),
          [n],
          { relative: sumTolerance(n) + 1e-6 },
        ),
      ]
    },
  }
}

const trainingSubject: Subject = {
  name: 'training',
  kernels: ['fast'],
  cases: (random, drawn) => [
    trainingCase(1, 1),
    trainingCase(258, 2),
    ...Array.from({ length: drawn }, () =>
      trainingCase(between(random, 1, 3000), random.below(2 ** 20)),
    ),
  ],
}

/** Rows of a batch mixed with one another. */
function mixCase(rows: number, width: number, seed: number): CheckCase {
  return {
    description: describeCase({ x: [rows, width] }, {}),
    async run(engine) {
      const random = new Random(seed)
      const [x, shares] = [
        values(random, rows * width),
        Float32Array.from({ length: rows }, () => random.uniform()),
      ]
      const partners = Int32Array.from({ length: rows }, () => random.below(rows))
      const [from, to] = [
        engine.tensor(x, [rows, width]),
        engine.tensor(new Float32Array(rows * width), [rows, width]),
      ]
      const uploads = [engine.gpu.upload(partners), engine.gpu.upload(shares)] as const
      mixRows(engine.gpu, from.buffer, ...uploads, to.buffer)
      const actual = await to.data()
      for (const storage of uploads) storage.release()
      for (const tensor of [from, to]) tensor.dispose()
      const expected = x.map((value, i) => {
        const [row, column] = [Math.floor(i / width), i % width]
        const share = shares[row] ?? 0
        return share * value + (1 - share) * (x[(partners[row] ?? 0) * width + column] ?? 0)
      })
      return [finding('y', actual, expected, [rows, width], { relative: 1e-6, absolute: 1e-7 })]
    },
  }
}

const mixSubject: Subject = {
  name: 'mixup',
  kernels: ['fast'],
  cases: (random, drawn) => [
    mixCase(1, 1, 1),
    mixCase(5, 67, 2),
    ...Array.from({ length: drawn }, () =>
      mixCase(between(random, 1, 9), between(random, 1, 99), random.below(2 ** 20)),
    ),
  ],
}

/** Whether a NaN or an infinity is seen wherever it lies, and nothing else taken for one. */
function finiteCase(n: number, at: number | null, odd: number): CheckCase {
  return {
    description: `${n} values, ${at === null ? 'all finite' : `${odd} at ${at}`}`,
    async run(engine) {
      const data = Float32Array.from({ length: n }, (_, i) => (i % 2 ? 3.4e38 : -i))
      if (at !== null) data[at] = odd
      const [x, health] = [engine.tensor(data, [n]), engine.tensor(Float32Array.of(0), [1])]
      markNonFinite(engine.gpu, x.buffer, health.buffer)
      const [marked = Number.NaN] = await health.data()
      const [fine] = await allFinite(engine, [x])
      for (const tensor of [x, health]) tensor.dispose()
      return [finding('seen', [marked, fine ? 0 : 1], at === null ? [0, 0] : [1, 1], [2], exact)]
    },
  }
}

const finiteSubject: Subject = {
  name: 'finite',
  kernels: ['fast'],
  cases: (random, drawn) => [
    finiteCase(9, null, 0),
    finiteCase(1, 0, Number.NaN),
    finiteCase(258, 257, Number.NEGATIVE_INFINITY),
    finiteCase(64, 63, Number.POSITIVE_INFINITY),
    ...Array.from({ length: drawn }, () => {
      const n = between(random, 1, 700)
      return finiteCase(
        n,
        random.below(3) ? random.below(n) : null,
        random.below(2) ? Number.NaN : Number.POSITIVE_INFINITY,
      )
    }),
  ],
}

export const otherSubjects: readonly Subject[] = [
  addSubject,
  optimizerSubject,
  trainingSubject,
  mixSubject,
  imageSubject,
  finiteSubject,
]
