/**
 * Overfitting in the small: a model of bumps on a line, trained by gradient descent on a few noisy
 * points, and judged on others. It is computed on the page, in a few milliseconds.
 */
import { at } from '../base/at.ts'
import { Random } from '../base/random.ts'
import { sgd } from '../reference/optimizers.ts'

interface Point {
  readonly x: number
  readonly y: number
}

/** The model at one epoch. */
export interface FittedEpoch {
  readonly epoch: number
  /** Mean squared errors. */
  readonly trainLoss: number
  readonly valLoss: number
  readonly weights: readonly number[]
}

/** One training, from its points to its epochs; epochs are spaced evenly on a logarithmic scale. */
export interface SmallTraining {
  readonly train: readonly Point[]
  readonly val: readonly Point[]
  readonly epochs: readonly FittedEpoch[]
  /** Which of `epochs` has the lowest validation loss. */
  readonly best: number
}

const bumps = 24
const width = 0.05
const lastEpoch = 2048

/** What the points would be without noise. */
export const truth = (x: number) => Math.sin(2 * Math.PI * x)

const features = (x: number) =>
  Float64Array.from({ length: bumps }, (_, i) =>
    Math.exp(-((x - i / (bumps - 1)) ** 2) / (2 * width ** 2)),
  )

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += at(a, i) * at(b, i)
  return sum
}

/** The model's curve: a sum of bumps, each as high as its weight. */
export const predicted = (weights: ArrayLike<number>, x: number) => dot(weights, features(x))

/**
 * Trains the model by SGD with momentum, on all points in each epoch.
 * @param count points to train on
 * @param noise standard deviation of the noise on every point
 * @example fitSmall(10, 0.3).epochs.at(-1) // valLoss is far above trainLoss: it has learned noise
 */
export function fitSmall(count: number, noise: number, seed = 2): SmallTraining {
  const random = new Random(seed)
  const draw = (x: number): Point => ({ x, y: truth(x) + noise * random.normal() })
  const val = Array.from({ length: 40 }, () => draw(random.uniform()))
  const train = Array.from({ length: count }, (_, i) =>
    draw((i + 0.2 + 0.6 * random.uniform()) / count),
  )
  const rows = train.map(({ x }) => features(x))
  const valRows = val.map(({ x }) => features(x))
  const weights = new Float64Array(bumps)
  const optimizer = sgd({ lr: 0.02, momentum: 0.9 })
  const lossOn = (points: readonly Point[], of: readonly Float64Array[]) =>
    points.reduce((sum, { y }, i) => sum + (dot(weights, at(of, i)) - y) ** 2, 0) / points.length
  const epochs: FittedEpoch[] = []
  let next = 1
  for (let epoch = 0; epoch <= lastEpoch; epoch++) {
    if (epoch === 0 || epoch === next) {
      epochs.push({
        epoch,
        trainLoss: lossOn(train, rows),
        valLoss: lossOn(val, valRows),
        weights: [...weights],
      })
      next = Math.max(epoch + 1, Math.round(1.25 * epoch))
    }
    const gradient = new Float64Array(bumps)
    for (const [i, row] of rows.entries()) {
      const error = (2 * (dot(weights, row) - at(train, i).y)) / count
      for (let j = 0; j < bumps; j++) gradient[j] = at(gradient, j) + error * at(row, j)
    }
    optimizer.step(weights, gradient)
  }
  const best = epochs.reduce(
    (found, { valLoss }, i) => (valLoss < at(epochs, found).valLoss ? i : found),
    0,
  )
  return { train, val, epochs, best }
}
