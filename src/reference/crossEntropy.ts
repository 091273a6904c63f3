import { add, at, dims2, item, type NdArray, ndArray, zeros } from './ndarray.ts'
import { logSoftmax } from './softmax.ts'

export type Reduction = 'mean' | 'sum' | 'none'

export interface CrossEntropyOptions {
  readonly weight?: Float32Array
  readonly labelSmoothing?: number
  readonly reduction?: Reduction
}

type Targets = Int32Array | Float32Array

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
 * 'mean' give [1]
 */
export function crossEntropy(
  logits: NdArray,
  targets: Targets,
  options: CrossEntropyOptions = {},
): NdArray {
  const [n, classes] = dims2(logits)
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
  return ndArray([sum / divisor(n, targets, options)], [1])
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
  const [n, classes] = dims2(logits)
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
