import type { InspectedCall, Inspection } from './inspection.ts'

/**
 * The call whose launch computed this one's result too: the convolution or dense layer before a
 * ReLU. Null where a call has launches of its own.
 */
export function launchedBy(
  { calls }: Pick<Inspection, 'calls'>,
  call: InspectedCall,
): InspectedCall | null {
  if (call.pass !== 'forward' || call.end > call.first) return null
  return calls[calls.indexOf(call) - 1] ?? null
}

/**
 * The keys of the tensors that a layer's backward calls held, one call for each gradient: 'dx',
 * 'dweight', …
 */
export function gradientsOf(
  { calls }: Pick<Inspection, 'calls'>,
  { layer, operator }: InspectedCall,
): Readonly<Record<string, string>> {
  const backward = calls.filter(
    (one) => one.pass === 'backward' && one.layer === layer && one.operator === operator,
  )
  return Object.assign({}, ...backward.map(({ tensors }) => tensors))
}

/** The forward call of the same layer and operator. */
export function forwardOf<Call extends Pick<InspectedCall, 'pass' | 'layer' | 'operator'>>(
  { calls }: { readonly calls: readonly Call[] },
  { layer, operator }: Call,
): Call | undefined {
  return calls.find(
    (call) => call.pass === 'forward' && call.layer === layer && call.operator === operator,
  )
}
