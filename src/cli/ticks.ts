/**
 * The least of 1, 2, 5, 10, 20, … (and 0.5, 0.2, …) that is no smaller: what lies between two ticks
 * of an axis.
 */
export function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10)
}
