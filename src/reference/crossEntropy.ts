import { add, at, dims2, item, type NdArray, ndArray, zeros } from './ndarray.ts'
import { logSoftmax } from './softmax.ts'

export type Reduction = 'mean' | 'sum' | 'none'

export interface CrossEntropyOptions {
  readonly labelSmoothing?: number
  readonly reduction?: Reduction
}

/** The smoothed target of torch.nn.functional.cross_entropy: q[i, c] = (1 - s) * [c = target[i]] + s / C */
function targetProbability(c: number, target: number, classes: number, smoothing: number): number {
  return (c === target ? 1 - smoothing : 0) + smoothing / classes
}

function checkTargets(n: number, classes: number, targets: Int32Array): void {
  if (targets.length !== n) throw new RangeError(`${targets.length} targets for ${n} rows`)
  for (const target of targets) if (target < 0 || target >= classes) throw new RangeError(`target ${target} outside 0..${classes - 1}`)
}

/** loss[i] = - sum over c of q[i, c] * log softmax(logits[i])[c]; 'none' gives [n], 'sum' and 'mean' (over the n rows) give [1] */
export function crossEntropy(logits: NdArray, targets: Int32Array, options: CrossEntropyOptions = {}): NdArray {
  const { labelSmoothing = 0, reduction = 'mean' } = options
  const [n, classes] = dims2(logits)
  checkTargets(n, classes, targets)
  const logP = logSoftmax(logits)
  const losses = zeros([n])
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < classes; c++) {
      const q = targetProbability(c, item(targets, i), classes, labelSmoothing)
      if (q > 0) add(losses.data, i, -q * at(logP.data, i * classes + c)) // q = 0 times -infinity is 0 here
    }
  }
  if (reduction === 'none') return losses
  const sum = losses.data.reduce((a, b) => a + b, 0)
  return ndArray([reduction === 'mean' ? sum / n : sum], [1])
}

/** dlogits[i, c] = dloss[i] * (softmax(logits[i])[c] - q[i, c]), where the mean's dloss[i] is dloss / n and the sum's is dloss */
export function crossEntropyBackward(logits: NdArray, targets: Int32Array, dloss: NdArray, options: CrossEntropyOptions = {}): NdArray {
  const { labelSmoothing = 0, reduction = 'mean' } = options
  const [n, classes] = dims2(logits)
  checkTargets(n, classes, targets)
  const logP = logSoftmax(logits)
  const dlogits = zeros(logits.shape)
  for (let i = 0; i < n; i++) {
    const g = reduction === 'none' ? at(dloss.data, i) : at(dloss.data, 0) / (reduction === 'mean' ? n : 1)
    for (let c = 0; c < classes; c++) {
      const p = Math.exp(at(logP.data, i * classes + c))
      dlogits.data[i * classes + c] = g * (p - targetProbability(c, item(targets, i), classes, labelSmoothing))
    }
  }
  return dlogits
}
