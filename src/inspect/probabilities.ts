/** Logits as probabilities, and what the loss makes of them. */

/**
 * softmax(logits / temperature): 1 is what the network was trained with; less than 1 makes the
 * winner surer, more than 1 makes all classes more alike.
 * @returns probabilities that add up to 1; empty where a logit is not finite
 * @example softmaxOf([2, 1], 1) // [0.731…, 0.269…]
 */
export function softmaxOf(logits: ArrayLike<number>, temperature = 1): number[] {
  const values = Array.from(logits)
  if (!values.every(Number.isFinite)) return []
  const highest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const weights = values.map((value) => Math.exp((value - highest) / temperature))
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map((weight) => weight / sum)
}

/** The gradient of the cross-entropy by the logits: probabilities, less 1 for the true class. */
export function logitGradient(probabilities: readonly number[], target: number): number[] {
  return probabilities.map((probability, i) => probability - (i === target ? 1 : 0))
}

/** The indices of the largest values, the largest first. */
export function largest(values: readonly number[], count: number): number[] {
  return values
    .map((value, index) => ({ value, index }))
    .sort((a, b) => b.value - a.value)
    .slice(0, count)
    .map(({ index }) => index)
}
