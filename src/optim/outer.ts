import { WeightsError } from '../base/errors.ts'
import type { NamedArray, StateDict } from '../base/stateDict.ts'

/** A wrong index makes a weight NaN, which no training goes on from. */
const nan = Number.NaN

/** What one outer step leaves. */
export interface OuterResult {
  readonly weights: StateDict
  /** The momentum, for the next step. */
  readonly momentum: StateDict
}

/**
 * The outer step of DiLoCo (Douillard et al. 2023, arXiv:2311.08105, algorithm 1): workers start
 * from the same weights p and train by themselves to pᵢ, of n workers; then
 *
 *     g = Σ (p − pᵢ) / n        m = momentum · m + g        p = p − lr · (g + momentum · m)
 *
 * which is SGD with Nesterov momentum as torch.optim.SGD computes it. It is computed in float64 on
 * the host, in the order in which results are added, and rounded to float32 once: with one worker,
 * lr 1 and momentum 0, p becomes p₁ itself, as long as no weight grows or shrinks 2²⁸-fold.
 *
 * @example
 * const step = new OuterStep(weights)
 * for (const trained of results) step.add(trained)
 * const { weights, momentum } = step.finish({ lr: 0.7, momentum: 0.9 }, null)
 */
export class OuterStep {
  readonly #weights: StateDict
  readonly #sums: ReadonlyMap<string, Float64Array>
  #count = 0

  /** @param weights that all workers started from */
  constructor(weights: StateDict) {
    this.#weights = weights
    this.#sums = new Map(
      Object.entries(weights).map(([name, { data }]) => [name, new Float64Array(data.length)]),
    )
  }

  /**
   * Adds what one worker has trained them to.
   * @throws WeightsError if it is of other parameters
   */
  add(trained: StateDict): void {
    for (const [name, { data }] of Object.entries(this.#weights)) {
      const other = arrayOf(trained, name, data.length)
      const sum = this.#sums.get(name)
      if (!sum) continue
      for (let i = 0; i < data.length; i++)
        sum[i] = (sum[i] ?? nan) + ((data[i] ?? nan) - (other[i] ?? nan))
    }
    this.#count++
  }

  /**
   * @param before the momentum of the step before; null at the first
   * @throws RangeError if nothing was added
   * @throws WeightsError if the momentum is of other parameters
   */
  finish(
    { lr, momentum }: { readonly lr: number; readonly momentum: number },
    before: StateDict | null,
  ): OuterResult {
    if (this.#count === 0) throw new RangeError('an outer step needs the result of a worker')
    const result: OuterResult = { weights: {}, momentum: {} }
    for (const [name, { shape, data }] of Object.entries(this.#weights)) {
      const sum = this.#sums.get(name) ?? new Float64Array()
      const old = before ? arrayOf(before, name, data.length) : null
      const weights = new Float32Array(data.length)
      // It is kept as float32: a resumed training reads it so, and goes on with the same bytes.
      const moving = new Float32Array(data.length)
      for (let i = 0; i < data.length; i++) {
        const gradient = (sum[i] ?? nan) / this.#count
        moving[i] = momentum * (old ? (old[i] ?? nan) : 0) + gradient
        weights[i] = (data[i] ?? nan) - lr * (gradient + momentum * (moving[i] ?? nan))
      }
      result.weights[name] = { shape, data: weights }
      result.momentum[name] = { shape, data: moving }
    }
    return result
  }
}

function arrayOf(arrays: StateDict, name: string, length: number): NamedArray['data'] {
  const data = Object.hasOwn(arrays, name) ? arrays[name]?.data : undefined
  if (data?.length === length) return data
  throw new WeightsError(`${name} is missing, or of another size: it is of another network`)
}
