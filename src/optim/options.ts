import { UsageError } from '../base/errors.ts'

/** What the optimizers' options are unless they are given; `lr` of SGD has to be. */
export const optimizerDefaults = {
  SGD: { momentum: 0, weightDecay: 0, nesterov: false },
  Adam: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 },
  AdamW: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 1e-2 },
} as const

/** The value, if it is a finite number of 0 or more. @throws UsageError */
export function notNegative(optimizer: string, option: string, value: number): number {
  if (!Number.isFinite(value) || value < 0)
    throw new UsageError(`${optimizer}: ${option} is ${String(value)}: give a number of 0 or more`)
  return value
}

/** The values, if they are two numbers in [0, 1). @throws UsageError */
export function decayRates(
  optimizer: string,
  betas: readonly [number, number],
): readonly [number, number] {
  const fits =
    Array.isArray(betas) &&
    betas.length === 2 &&
    betas.every((beta) => Number.isFinite(beta) && beta >= 0 && beta < 1)
  if (!fits)
    throw new UsageError(
      `${optimizer}: betas is ${JSON.stringify(betas)}: give two numbers in [0, 1)`,
    )
  return [betas[0], betas[1]]
}
