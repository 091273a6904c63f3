import { at } from './ndarray.ts'

/**
 * The state of one parameter; `step` changes the parameter in place. `lr` and `factor` override the
 * rate and the momentum (Adam's first beta) for one step, as a schedule does.
 */
export interface Optimizer {
  step(parameter: Float64Array, gradient: ArrayLike<number>, lr?: number, factor?: number): void
}

export interface SgdOptions {
  readonly lr: number
  readonly momentum?: number
  readonly weightDecay?: number
  readonly nesterov?: boolean
}

/**
 * torch.optim.SGD without dampening:
 *
 *     d = g + weightDecay * p
 *     v = d in the first step, momentum * v + d after      (only with momentum)
 *     p = p - lr * (nesterov ? d + momentum * v : v)       (d itself without momentum)
 */
export function sgd({
  lr,
  momentum = 0,
  weightDecay = 0,
  nesterov = false,
}: SgdOptions): Optimizer {
  let velocity: Float64Array | null = null
  return {
    step(parameter, gradient, rate = lr, factor = momentum) {
      const d = parameter.map((p, i) => (gradient[i] ?? Number.NaN) + weightDecay * p)
      let direction = d
      if (momentum !== 0) {
        const previous = velocity
        const v = d.map((value, i) => (previous ? factor * at(previous, i) + value : value))
        velocity = v
        direction = nesterov ? d.map((value, i) => value + factor * at(v, i)) : v
      }
      for (let i = 0; i < parameter.length; i++)
        parameter[i] = at(parameter, i) - rate * at(direction, i)
    },
  }
}

export interface AdamOptions {
  readonly lr: number
  readonly betas?: readonly [number, number]
  readonly eps?: number
  readonly weightDecay?: number
}

/**
 * torch.optim.Adam, in step t = 1, 2, ...:
 *
 *     g = g + weightDecay * p        (Adam; AdamW instead first p = p * (1 - lr * weightDecay))
 *     m = b1 * m + (1 - b1) * g        v = b2 * v + (1 - b2) * g^2
 *     p = p - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)
 */
function adaptive(
  { lr, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 }: AdamOptions,
  decoupled: boolean,
): Optimizer {
  const [beta1, b2] = betas
  let m = new Float64Array(0)
  let v = new Float64Array(0)
  let t = 0
  return {
    step(parameter, gradient, rate = lr, b1 = beta1) {
      if (t === 0) {
        m = new Float64Array(parameter.length)
        v = new Float64Array(parameter.length)
      }
      t++
      for (let i = 0; i < parameter.length; i++) {
        let p = at(parameter, i)
        let g = gradient[i] ?? Number.NaN
        if (decoupled) p *= 1 - rate * weightDecay
        else g += weightDecay * p
        const mi = b1 * at(m, i) + (1 - b1) * g
        const vi = b2 * at(v, i) + (1 - b2) * g * g
        m[i] = mi
        v[i] = vi
        parameter[i] =
          p - ((rate / (1 - b1 ** t)) * mi) / (Math.sqrt(vi) / Math.sqrt(1 - b2 ** t) + eps)
      }
    },
  }
}

/** Adam with weight decay as an L2 term of the gradient; the default decay is 0. */
export function adam(options: AdamOptions): Optimizer {
  return adaptive(options, false)
}

/** AdamW: weight decay apart from the gradient; the default decay is 0.01, as in PyTorch. */
export function adamw(options: AdamOptions): Optimizer {
  return adaptive({ weightDecay: 0.01, ...options }, true)
}
