import type { InspectedCall, Inspection } from './inspection.ts'

/** The keys of the tensors that a layer's backward calls held, one call for each gradient: 'dx', 'dweight', … */
export function gradientsOf({ calls }: Pick<Inspection, 'calls'>, { layer, operator }: InspectedCall): Readonly<Record<string, string>> {
  const backward = calls.filter((one) => one.pass === 'backward' && one.layer === layer && one.operator === operator)
  return Object.assign({}, ...backward.map(({ tensors }) => tensors))
}
