/** The kernels of a training step besides the operators' own. */
import { at } from '../base/at.ts'
import { Random } from '../base/random.ts'
import { Parameter } from '../nn/parameter.ts'
import { mixRows } from '../ops/mix.ts'
import { Adam } from '../optim/adam.ts'
import { AdamW } from '../optim/adamw.ts'
import { WeightAverage } from '../optim/average.ts'
import { clipGradNorm } from '../optim/clip.ts'
import type { Optimizer } from '../optim/optimizer.ts'
import { SGD } from '../optim/sgd.ts'
import { sumTolerance } from '../reference/agreement.ts'
import { adam, adamw, type Optimizer as ReferenceOptimizer, sgd } from '../reference/optimizers.ts'
import { between } from '../reference/random.ts'
import { type CheckCase, describeCase, finding, normalValues, type Subject } from './subject.ts'

interface OptimizerPair {
  make(parameters: Parameter[]): Optimizer
  reference(): ReferenceOptimizer
}

/** An optimizer and its reference, with the same options. */
function pair<Options>(
  Class: new (parameters: Parameter[], options: Options) => Optimizer,
  reference: (options: Options) => ReferenceOptimizer,
  options: Options,
): OptimizerPair {
  return {
    make: (parameters) => new Class(parameters, options),
    reference: () => reference(options),
  }
}

const optimizers: readonly (readonly [name: string, OptimizerPair])[] = [
  ['SGD', pair(SGD, sgd, { lr: 0.05, weightDecay: 0.01 })],
  ['SGD with momentum', pair(SGD, sgd, { lr: 0.05, momentum: 0.9, weightDecay: 0.01 })],
  ['SGD with Nesterov momentum', pair(SGD, sgd, { lr: 0.05, momentum: 0.9, nesterov: true })],
  ['Adam', pair(Adam, adam, { lr: 0.01, weightDecay: 0.1 })],
  ['AdamW', pair(AdamW, adamw, { lr: 0.01, weightDecay: 0.1 })],
]

/** Three steps, the last one held back by its guard. */
function optimizerCase(which: number, n: number, seed: number): CheckCase {
  const [name, { make, reference }] = at(optimizers, which)
  return {
    description: `${n} values, three steps and one held back`,
    async run(engine) {
      const random = new Random(seed)
      const start = normalValues(random, n)
      const parameter = new Parameter('p', engine.tensor(start, [n]))
      const optimizer = make([parameter])
      const expected = Float64Array.from(start)
      const judge = reference()
      const open = engine.tensor(Float32Array.of(0), [1])
      const held = engine.tensor(Float32Array.of(1), [1])
      for (const guard of [open, null, open, held]) {
        const gradient = normalValues(random, n)
        parameter.tensor.grad = engine.tensor(gradient, [n])
        optimizer.step(guard ? { guard } : {})
        optimizer.zeroGrad()
        if (guard !== held) judge.step(expected, gradient)
      }
      const actual = await parameter.tensor.data()
      for (const one of [optimizer, parameter, open, held]) one.dispose()
      return [finding(name, actual, expected, [n], { relative: 1e-6 })]
    },
  }
}

const optimizerSubject: Subject = {
  name: 'optimizers',
  kernels: ['fast'],
  checks: ['optim'],
  tolerance: 'Three steps of a few roundings each.',
  cases: (random, drawn) => [
    ...optimizers.map((_, i) => optimizerCase(i, 5 + i, i + 1)),
    ...Array.from({ length: drawn }, (_, i) =>
      optimizerCase(i % optimizers.length, between(random, 1, 400), random.below(2 ** 20)),
    ),
  ],
}

/** Gradients clipped to a norm, and weights averaged over a few steps. */
function trainingCase(n: number, seed: number): CheckCase {
  return {
    description: `${n} values`,
    async run(engine) {
      const random = new Random(seed)
      const [start, gradient] = [normalValues(random, n), normalValues(random, n)]
      const parameter = new Parameter('p', engine.tensor(start, [n]))
      const averages = new WeightAverage([parameter], 0.5, { warmUp: false })
      const expected = Float64Array.from(start)
      for (let step = 0; step < 3; step++) {
        const next = normalValues(random, n)
        parameter.assign(engine, next)
        averages.update()
        for (const [i, value] of next.entries()) expected[i] = 0.5 * at(expected, i) + 0.5 * value
      }
      parameter.tensor.grad = engine.tensor(gradient, [n])
      const norm = engine.tensor(new Float32Array(2), [2])
      clipGradNorm(engine.gpu, [parameter], 0.75, norm.buffer)
      const clipped = engine.readLater([parameter.tensor.grad])
      averages.swap()
      const average = await parameter.tensor.data()
      const scaled = at(await clipped(), 0)
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
  checks: ['average', 'clip', 'scale', 'squares'].map((kernel) => `optim/${kernel}.wgsl`),
  tolerance: 'A few roundings, and the sum of squares that a norm is taken from.',
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
        normalValues(random, rows * width),
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
        const share = at(shares, row)
        return share * value + (1 - share) * at(x, at(partners, row) * width + column)
      })
      return [finding('y', actual, expected, [rows, width], { relative: 1e-6, absolute: 1e-7 })]
    },
  }
}

const mixSubject: Subject = {
  name: 'mixup',
  kernels: ['fast'],
  checks: [],
  tolerance: 'A difference of two values and a product, each rounded once.',
  cases: (random, drawn) => [
    mixCase(1, 1, 1),
    mixCase(5, 67, 2),
    ...Array.from({ length: drawn }, () =>
      mixCase(between(random, 1, 9), between(random, 1, 99), random.below(2 ** 20)),
    ),
  ],
}

export const trainingSubjects: readonly Subject[] = [optimizerSubject, trainingSubject, mixSubject]
