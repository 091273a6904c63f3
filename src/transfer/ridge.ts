import { at } from '../base/at.ts'
import { Random } from '../base/random.ts'

/** How well a linear classifier does on images that it was not trained on. */
export interface CrossValidation {
  /**
   * For each image, how often classifiers trained on the other folds predict its class, in 0..1.
   */
  readonly correct: Float64Array
  /** The same for classifiers trained on half of the other folds. */
  readonly halfCorrect: Float64Array
  /**
   * For each image that no fold has: whether the classifier trained on all folds predicts its
   * class, 1 or 0.
   */
  readonly held: Float64Array
  /** The same for classifiers trained on half of all folds, in 0..1. */
  readonly halfHeld: Float64Array
  /** The best penalty on the halves, as a share of the mean squared length of a feature vector. */
  readonly penalty: number
}

/**
 * Penalties to try. The one with the lowest squared error is used: choosing by accuracy would make
 * the measured accuracy too high.
 */
const penalties = [0.01, 0.1, 1]

/** How many times the images are divided into folds, so that a single division matters less. */
const repeats = 2

/**
 * Cross-validates a linear classifier, fitted to one indicator per class by least squares with a
 * ridge penalty. It is solved in its dual form, with one unknown for each image and class, since
 * there are many features and few images: α = (K + λ I)⁻¹ (Y − ȳ), where K holds the inner products
 * of centered feature vectors (Hoerl & Kennard 1970; Saunders, Gammerman & Vovk 1998). Each fold is
 * predicted from all other folds, and from each half of them, which shows the gain by more images.
 * @param gram inner products of the feature vectors of every two images, [n, n]
 * @param labels each image's class
 * @param options.seed of the folds: the same for every depth, so that depths can be compared image
 * by image
 * @param options.known how many images, from the first on, are divided into folds. The others are
 * only predicted. Default: all
 * @example const { correct, halfCorrect } = crossValidate(gram, labels, 6, { folds: 3, seed: 0 })
 */
export function crossValidate(
  gram: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
  {
    folds,
    seed,
    known = labels.length,
  }: { readonly folds: number; readonly seed: number; readonly known?: number },
): CrossValidation {
  const problem: Problem = { gram, labels, classes, scratch: new Float64Array(known ** 2) }
  const [correct, halfCorrect, held, halfHeld] = [
    new Float64Array(labels.length),
    new Float64Array(labels.length),
    new Float64Array(labels.length),
    new Float64Array(labels.length),
  ]
  const divisions = Array.from({ length: repeats }, (_, repeat) => {
    const fold = assignFolds(labels, known, folds, new Random(seed, foldStream + repeat))
    return Array.from({ length: folds }, (_, f) => divide(labels, fold, (one) => one === f))
  })
  const penalty = bestPenalty(problem, at(divisions, 0))
  for (const { held, learned, halves } of divisions.flat()) {
    const weight = 1 / (repeats * halves.length)
    for (const half of halves) score(problem, { learned: half, held }, penalty, halfCorrect, weight)
    score(problem, { learned, held }, penalty, correct, 1 / repeats)
  }
  const whole = divide(labels, new Uint8Array(labels.length).fill(1, known), (one) => one === 1)
  score(problem, whole, penalty, held, 1)
  for (const half of whole.halves)
    score(problem, { learned: half, held: whole.held }, penalty, halfHeld, 1 / whole.halves.length)
  return {
    correct: correct.subarray(0, known),
    halfCorrect: halfCorrect.subarray(0, known),
    held: held.subarray(known),
    halfHeld: halfHeld.subarray(known),
    penalty,
  }
}

/** A random stream of its own, separate from those that split and shuffle the data. */
const foldStream = 4000

/**
 * Divides each class's images among the folds in random order. Returns the fold of each of the
 * `known` first images.
 */
function assignFolds(
  labels: ArrayLike<number>,
  known: number,
  folds: number,
  random: Random,
): Uint8Array {
  const order = Array.from({ length: known }, (_, i) => i)
  random.shuffle(order)
  order.sort((a, b) => at(labels, a) - at(labels, b))
  const fold = new Uint8Array(known)
  for (const [i, image] of order.entries()) fold[image] = i % folds
  return fold
}

/** The images of one fold, those of all others, and the two halves of the latter. */
interface Division {
  readonly held: readonly number[]
  readonly learned: readonly number[]
  readonly halves: readonly (readonly number[])[]
}

function divide(
  labels: ArrayLike<number>,
  fold: Uint8Array,
  isHeld: (fold: number) => boolean,
): Division {
  const held = Array.from(fold.keys()).filter((i) => isHeld(at(fold, i)))
  const learned = Array.from(fold.keys()).filter((i) => !isHeld(at(fold, i)))
  return { held, learned, halves: halve(learned, labels) }
}

/** The penalty with the lowest squared error over all folds, predicted from halves. */
function bestPenalty(problem: Problem, divisions: readonly Division[]): number {
  const unused = new Float64Array(problem.labels.length)
  const errors = penalties.map((penalty) => {
    const errorOf = ({ held, halves }: Division) =>
      halves.reduce(
        (sum, half) => sum + score(problem, { learned: half, held }, penalty, unused, 0),
        0,
      )
    return divisions.reduce((sum, division) => sum + errorOf(division), 0)
  })
  return at(penalties, errors.indexOf(Math.min(...errors)))
}

interface Problem {
  readonly gram: Float32Array
  readonly labels: ArrayLike<number>
  readonly classes: number
  /** Memory for the matrix that is factored. */
  readonly scratch: Float64Array
}

/** Divides every class's images between two halves in turn. */
function halve(
  images: readonly number[],
  labels: ArrayLike<number>,
): readonly (readonly number[])[] {
  const counts = new Map<number, number>()
  const halves: [number[], number[]] = [[], []]
  for (const i of images) {
    const label = at(labels, i)
    const count = counts.get(label) ?? 0
    counts.set(label, count + 1)
    // Classes start with different halves, so that odd numbers of images even out.
    halves[(count + label) % 2 === 0 ? 0 : 1].push(i)
  }
  return halves.filter((half) => half.length > 0)
}

/**
 * Predicts the images held out, and adds `weight` to `correct` for each that is predicted rightly.
 * @returns the squared error of the scores
 */
function score(
  problem: Problem,
  { learned, held }: Split,
  penalty: number,
  correct: Float64Array,
  weight: number,
): number {
  const { labels, classes } = problem
  const scores = predictHeld(problem, { learned, held }, penalty)
  let error = 0
  for (const [i, image] of held.entries()) {
    let best = 0
    for (let c = 0; c < classes; c++) {
      const value = at(scores, i * classes + c)
      error += (value - Number(labels[image] === c)) ** 2
      if (value > at(scores, i * classes + best)) best = c
    }
    if (best === labels[image]) correct[image] = at(correct, image) + weight
  }
  return error
}

interface Split {
  readonly learned: readonly number[]
  readonly held: readonly number[]
}

/** Scores of the images held out, [h, classes]. Features are centered by the mean of `learned`. */
function predictHeld(
  { gram, labels, classes, scratch }: Problem,
  { learned, held }: Split,
  penalty: number,
): Float64Array {
  const n = labels.length
  const t = learned.length
  const rowMean = (i: number) => {
    let sum = 0
    for (const j of learned) sum += valueAt(gram, i * n + j)
    return sum / t
  }
  const means = Float64Array.from(learned, rowMean)
  const grandMean = means.reduce((a, b) => a + b, 0) / t
  const matrix = scratch.subarray(0, t * t)
  let trace = 0
  for (const [r, i] of learned.entries()) {
    // Only the lower triangle is read.
    for (let c = 0; c <= r; c++)
      matrix[r * t + c] =
        valueAt(gram, i * n + at(learned, c)) - valueAt(means, r) - valueAt(means, c) + grandMean
    trace += valueAt(matrix, r * t + r)
  }
  // If all feature vectors are equal there is nothing to learn: any penalty then predicts the
  // classes' shares.
  const ridge = trace > 0 ? (penalty * trace) / t : 1
  for (let r = 0; r < t; r++) matrix[r * t + r] = valueAt(matrix, r * t + r) + ridge
  const shares = new Float64Array(classes)
  for (const i of learned) {
    const label = at(labels, i)
    shares[label] = valueAt(shares, label) + 1 / t
  }
  const alpha = new Float64Array(t * classes)
  for (const [r, i] of learned.entries())
    for (let c = 0; c < classes; c++)
      alpha[r * classes + c] = Number(labels[i] === c) - valueAt(shares, c)
  choleskyInPlace(matrix, t)
  solveInPlace(matrix, t, alpha, classes)
  const scores = new Float64Array(held.length * classes)
  for (const [h, i] of held.entries()) {
    const mean = rowMean(i)
    for (let c = 0; c < classes; c++) scores[h * classes + c] = valueAt(shares, c)
    for (let j = 0; j < t; j++) {
      const product = valueAt(gram, i * n + at(learned, j)) - mean - valueAt(means, j) + grandMean
      addMultiple(scores, h * classes, alpha, j * classes, classes, product)
    }
  }
  return scores
}

/**
 * Factors a symmetric positive definite matrix, A = L Lᵀ, row by row (Cholesky–Banachiewicz). Its
 * lower triangle is read and replaced by L.
 */
export function choleskyInPlace(a: Float64Array, n: number): void {
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const rest = valueAt(a, i * n + j) - dot(a, i * n, j * n, j)
      a[i * n + j] = i === j ? Math.sqrt(rest) : rest / valueAt(a, j * n + j)
    }
}

/** Solves L Lᵀ X = B for B of [n, columns], which is replaced by X. */
export function solveInPlace(l: Float64Array, n: number, b: Float64Array, columns: number): void {
  const divideRow = (i: number) => {
    const divisor = valueAt(l, i * n + i)
    for (let k = i * columns; k < (i + 1) * columns; k++) b[k] = valueAt(b, k) / divisor
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++)
      addMultiple(b, i * columns, b, k * columns, columns, -valueAt(l, i * n + k))
    divideRow(i)
  }
  for (let i = n - 1; i >= 0; i--) {
    divideRow(i)
    for (let k = 0; k < i; k++)
      addMultiple(b, k * columns, b, i * columns, columns, -valueAt(l, i * n + k))
  }
}

/**
 * `at` for the loops over matrices: with two kinds of arrays instead of all kinds in the program,
 * it compiles to a plain load and a check, five times as fast.
 */
function valueAt(values: Float64Array | Float32Array, index: number): number {
  const value = values[index]
  if (value === undefined) throw new RangeError(`index ${index} is outside of ${values.length}`)
  return value
}

/** Adds a multiple of a row to another row. */
function addMultiple(
  to: Float64Array,
  toStart: number,
  from: Float64Array,
  fromStart: number,
  columns: number,
  factor: number,
): void {
  for (let c = 0; c < columns; c++)
    to[toStart + c] = valueAt(to, toStart + c) + factor * valueAt(from, fromStart + c)
}

/** The inner product of two rows' first `length` values, in four sums that can run in parallel. */
function dot(a: Float64Array, x: number, y: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  const whole = length - (length % 4)
  for (let k = 0; k < whole; k += 4) {
    s0 += valueAt(a, x + k) * valueAt(a, y + k)
    s1 += valueAt(a, x + k + 1) * valueAt(a, y + k + 1)
    s2 += valueAt(a, x + k + 2) * valueAt(a, y + k + 2)
    s3 += valueAt(a, x + k + 3) * valueAt(a, y + k + 3)
  }
  for (let k = whole; k < length; k++) s0 += valueAt(a, x + k) * valueAt(a, y + k)
  return s0 + s1 + s2 + s3
}
