/*
 * Learning rates as pure functions of the step, so that a resumed training needs no state for them.
 * Each returns the share of the peak rate.
 */

/** Options of `oneCycle`. */
export interface OneCycleOptions {
  /** Share of the steps in which the rate rises. Default 0.3. */
  readonly riseShare?: number
  /** The peak rate divided by the first rate. Default 25. */
  readonly startDivisor?: number
  /** The first rate divided by the last. Default 1e4. */
  readonly endDivisor?: number
  /** Momentum at the peak, and at both ends. Default [0.85, 0.95]. */
  readonly momentum?: readonly [number, number]
}

/**
 * The 1cycle policy: the rate rises along a cosine to its peak, then falls along a cosine to almost
 * zero; momentum does the opposite (Smith & Topin 2017, arXiv:1708.07120, as
 * torch.optim.lr_scheduler.OneCycleLR computes it).
 * @param step counted from 0
 * @param steps of the whole cycle
 * @example optimizer.lr = peak * oneCycle(step, steps).share
 */
export function oneCycle(
  step: number,
  steps: number,
  options: OneCycleOptions = {},
): { readonly share: number; readonly momentum: number } {
  const {
    riseShare = 0.3,
    startDivisor = 25,
    endDivisor = 1e4,
    momentum: [low, high] = [0.85, 0.95],
  } = options
  const [top, end] = [riseShare * steps - 1, steps - 1]
  const first = 1 / startDivisor
  if (step <= top) {
    const done = top > 0 ? step / top : 1
    return { share: along(first, 1, done), momentum: along(high, low, done) }
  }
  const done = end > top ? (step - top) / (end - top) : 1
  return { share: along(1, first / endDivisor, done), momentum: along(low, high, done) }
}

/** Options of `cosine`. */
export interface CosineOptions {
  /** Steps in which the rate rises linearly, before the cosine. Default 0. */
  readonly warmup?: number
  /** The share at the first step of the warm-up. Default 0.01. */
  readonly warmupStart?: number
  /** The share that the cosine reaches one step after the last. Default 0. */
  readonly floor?: number
}

/**
 * Half a cosine from the peak down (Loshchilov & Hutter 2017, arXiv:1608.03983;
 * torch.optim.lr_scheduler.CosineAnnealingLR), after a linear warm-up (LinearLR in front of it, by
 * SequentialLR).
 * @param step counted from 0
 * @param steps of all, warm-up included
 * @example optimizer.lr = peak * cosine(step, steps, { warmup: 100 })
 */
export function cosine(
  step: number,
  steps: number,
  { warmup = 0, warmupStart = 0.01, floor = 0 }: CosineOptions = {},
): number {
  if (step < warmup) return linear(step, warmup, warmupStart)
  return along(1, floor, (step - warmup) / Math.max(1, steps - warmup))
}

/** The warm-up alone: from `start` to 1 in `steps` steps. */
export function linear(step: number, steps: number, start = 0.01): number {
  return step < steps ? start + ((1 - start) * step) / steps : 1
}

/** From a to b along half a cosine, with progress `done` in 0..1. */
function along(a: number, b: number, done: number): number {
  return b + ((a - b) / 2) * (1 + Math.cos(Math.PI * done))
}
