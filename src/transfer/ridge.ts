import { Random } from '../base/random.ts'

/** How well a linear classifier does on images it has not learned from. */
export interface CrossValidation {
  /**
   * For each image, how often classifiers that learned from the other folds name its class, in
   * 0..1.
   */
  readonly correct: Float64Array
  /** The same for classifiers that learned from half of the other folds. */
  readonly halfCorrect: Float64Array
  /**
   * The penalty that came out best on the halves, as a share of the mean squared length of a
   * feature vector.
   */
  readonly penalty: number
}

/**
 * Penalties that are tried; the one with the least squared error is taken, so that accuracy itself
 * is not what it is chosen by.
 */
const penalties = [0.01, 0.1, 1]

/**
 * How often the images are dealt out to folds anew: what a classifier happens to have learned from
 * then matters less.
 */
const deals = 2

/**
 * Cross-validates a linear classifier, fitted to the classes' indicators by least squares with a
 * ridge penalty. It is solved in its dual, of one unknown for each image and class, since features
 * are many and probed images few: α = (K + λ I)⁻¹ (Y − ȳ), where K holds the products of centered
 * feature vectors (Hoerl & Kennard 1970; Saunders, Gammerman & Vovk 1998). Each fold is predicted
 * from all of the others, and from either half of them, which shows what more images are worth.
 * @param gram products of the feature vectors of each two images, [n, n]
 * @param labels each image's class
 * @param options.seed of the folds: the same for every depth, so that they can be compared image by
 * image
 * @example const { correct, halfCorrect } = crossValidate(gram, labels, 6, { folds: 3, seed: 0 })
 */
export function crossValidate(
  gram: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
  { folds, seed }: { readonly folds: number; readonly seed: number },
): CrossValidation {
  const problem: Problem = { gram, labels, classes, scratch: new Float64Array(labels.length ** 2) }
  const [correct, halfCorrect] = [new Float64Array(labels.length), new Float64Array(labels.length)]
  let penalty: number | null = null
  for (let deal = 0; deal < deals; deal++) {
    const fold = dealFolds(labels, folds, new Random(seed, foldStream + deal))
    const divided = Array.from({ length: folds }, (_, f) => divide(problem, fold, f))
    penalty ??= bestPenalty(problem, divided)
    for (const { held, learned, halves } of divided) {
      for (const half of halves)
        score(problem, { learned: half, held }, penalty, halfCorrect, 1 / (deals * halves.length))
      score(problem, { learned, held }, penalty, correct, 1 / deals)
    }
  }
  return { correct, halfCorrect, penalty: penalty ?? 0 }
}

/** Apart from the streams that split and shuffle the data. */
const foldStream = 4000

/** Deals each class's images out to the folds, in an order of chance. */
function dealFolds(labels: ArrayLike<number>, folds: number, random: Random): Uint8Array {
  const order = Array.from({ length: labels.length }, (_, i) => i)
  random.shuffle(order)
  order.sort((a, b) => (labels[a] ?? 0) - (labels[b] ?? 0))
  const fold = new Uint8Array(labels.length)
  for (const [i, image] of order.entries()) fold[image] = i % folds
  return fold
}

/** The images of one fold, all of the others, and either half of those. */
interface Division {
  readonly held: readonly number[]
  readonly learned: readonly number[]
  readonly halves: readonly (readonly number[])[]
}

function divide({ labels }: Problem, fold: ArrayLike<number>, f: number): Division {
  const all = Array.from({ length: labels.length }, (_, i) => i)
  const learned = all.filter((i) => fold[i] !== f)
  return { held: all.filter((i) => fold[i] === f), learned, halves: halve(learned, labels) }
}

function bestPenalty(problem: Problem, divided: readonly Division[]): number {
  const unused = new Float64Array(problem.labels.length)
  const errorOf = (penalty: number) =>
    divided.reduce(
      (sum, { held, halves }) =>
        sum +
        halves.reduce(
          (s, half) => s + score(problem, { learned: half, held }, penalty, unused, 0),
          0,
        ),
      0,
    )
  const errors = penalties.map(errorOf)
  return penalties[errors.indexOf(Math.min(...errors))] ?? 0
}

interface Problem {
  readonly gram: Float32Array
  readonly labels: ArrayLike<number>
  readonly classes: number
  /** Room for the matrix that is factored. */
  readonly scratch: Float64Array
}

/** Every class's images in turn into one half and the other. */
function halve(
  images: readonly number[],
  labels: ArrayLike<number>,
): readonly (readonly number[])[] {
  const met = new Map<number, number>()
  const halves: [number[], number[]] = [[], []]
  for (const i of images) {
    const label = labels[i] ?? 0
    const count = met.get(label) ?? 0
    met.set(label, count + 1)
    // Classes with an odd number of images begin with one half or the other.
    halves[(count + label) % 2 === 0 ? 0 : 1].push(i)
  }
  return halves.filter((half) => half.length > 0)
}

/**
 * Adds `weight` to `correct` for each image held out that is named rightly, and returns the squared
 * error of the scores.
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
      const value = scores[i * classes + c] ?? 0
      error += (value - Number(labels[image] === c)) ** 2
      if (value > (scores[i * classes + best] ?? 0)) best = c
    }
    if (best === labels[image]) correct[image] = (correct[image] ?? 0) + weight
  }
  return error
}

interface Split {
  readonly learned: readonly number[]
  readonly held: readonly number[]
}

/**
 * Scores of the images held out, [h, classes]; features are centered by the mean of the images
 * learned from alone.
 */
function predictHeld(
  { gram, labels, classes, scratch }: Problem,
  { learned, held }: Split,
  penalty: number,
): Float64Array {
  const n = labels.length
  const t = learned.length
  const rowMean = (i: number) => {
    let sum = 0
    for (const j of learned) sum += gram[i * n + j] ?? 0
    return sum / t
  }
  const means = Float64Array.from(learned, rowMean)
  const grand = means.reduce((a, b) => a + b, 0) / t
  const matrix = scratch.subarray(0, t * t)
  let trace = 0
  for (const [r, i] of learned.entries()) {
    // The lower half is all that is read.
    for (let c = 0; c <= r; c++)
      matrix[r * t + c] =
        (gram[i * n + (learned[c] ?? 0)] ?? 0) - (means[r] ?? 0) - (means[c] ?? 0) + grand
    trace += matrix[r * t + r] ?? 0
  }
  // Features that never differ leave nothing to learn; any penalty then predicts the classes'
  // shares.
  const ridge = trace > 0 ? (penalty * trace) / t : 1
  for (let r = 0; r < t; r++) matrix[r * t + r] = (matrix[r * t + r] ?? 0) + ridge
  const shares = new Float64Array(classes)
  for (const i of learned) shares[labels[i] ?? 0] = (shares[labels[i] ?? 0] ?? 0) + 1 / t
  const alpha = new Float64Array(t * classes)
  for (const [r, i] of learned.entries())
    for (let c = 0; c < classes; c++)
      alpha[r * classes + c] = Number(labels[i] === c) - (shares[c] ?? 0)
  choleskyInPlace(matrix, t)
  solveInPlace(matrix, t, alpha, classes)
  const scores = new Float64Array(held.length * classes)
  for (const [h, i] of held.entries()) {
    const mean = rowMean(i)
    for (let c = 0; c < classes; c++) scores[h * classes + c] = shares[c] ?? 0
    for (let j = 0; j < t; j++) {
      const product = (gram[i * n + (learned[j] ?? 0)] ?? 0) - mean - (means[j] ?? 0) + grand
      addMultiple(scores, h * classes, alpha, j * classes, classes, product)
    }
  }
  return scores
}

/**
 * A = L Lᵀ of a symmetric positive definite matrix, of which the lower half is read and becomes L,
 * row by row (Cholesky–Banachiewicz).
 */
export function choleskyInPlace(a: Float64Array, n: number): void {
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const rest = (a[i * n + j] ?? 0) - dot(a, i * n, j * n, j)
      a[i * n + j] = i === j ? Math.sqrt(rest) : rest / (a[j * n + j] ?? 1)
    }
}

/** Solves L Lᵀ X = B for B of [n, columns], which becomes X. */
export function solveInPlace(l: Float64Array, n: number, b: Float64Array, columns: number): void {
  const divideRow = (i: number) => {
    const by = l[i * n + i] ?? 1
    for (let at = i * columns; at < (i + 1) * columns; at++) b[at] = (b[at] ?? 0) / by
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++)
      addMultiple(b, i * columns, b, k * columns, columns, -(l[i * n + k] ?? 0))
    divideRow(i)
  }
  for (let i = n - 1; i >= 0; i--) {
    divideRow(i)
    for (let k = 0; k < i; k++)
      addMultiple(b, k * columns, b, i * columns, columns, -(l[i * n + k] ?? 0))
  }
}

/** Adds a multiple of one row to another. */
function addMultiple(
  to: Float64Array,
  toAt: number,
  from: Float64Array,
  fromAt: number,
  columns: number,
  factor: number,
): void {
  for (let c = 0; c < columns; c++)
    to[toAt + c] = (to[toAt + c] ?? 0) + factor * (from[fromAt + c] ?? 0)
}

/**
 * The product of two rows' first `length` values, in four sums, which the processor adds side by
 * side.
 */
function dot(a: Float64Array, x: number, y: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  const whole = length - (length % 4)
  for (let k = 0; k < whole; k += 4) {
    s0 += (a[x + k] ?? 0) * (a[y + k] ?? 0)
    s1 += (a[x + k + 1] ?? 0) * (a[y + k + 1] ?? 0)
    s2 += (a[x + k + 2] ?? 0) * (a[y + k + 2] ?? 0)
    s3 += (a[x + k + 3] ?? 0) * (a[y + k + 3] ?? 0)
  }
  for (let k = whole; k < length; k++) s0 += (a[x + k] ?? 0) * (a[y + k] ?? 0)
  return s0 + s1 + s2 + s3
}
