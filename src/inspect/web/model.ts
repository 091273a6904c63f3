/** The page's data, and ways to look things up in it. */
import { gradientsOf } from '../calls.ts'
import type { InspectedCall, InspectedDispatch } from '../inspection.ts'
import { unpackTensor } from '../pack.ts'
import { readInspection } from '../plain.ts'
import type { ExplainedCall, Values } from '../terms.ts'

export const inspection = readInspection(document.getElementById('inspection')?.textContent ?? '')

/** What is called so where others have a layer's name. */
export const lossName = 'the loss'

const unpacked = new Map<string, Values>()

/** A tensor's values, unpacked when they are first looked at. */
export function valuesOf(key: string): Values | null {
  const packed = inspection.tensors[key]
  if (!packed) return null
  const known = unpacked.get(key)
  if (known) return known
  const values = { shape: packed.shape, values: unpackTensor(packed) }
  unpacked.set(key, values)
  return values
}

/** The forward call of the same layer and operator. */
export function forwardOf(call: InspectedCall): InspectedCall | undefined {
  return inspection.calls.find(
    (one) => one.pass === 'forward' && one.layer === call.layer && one.operator === call.operator,
  )
}

/** A forward call with its gradients beside its tensors. */
export function explainedCall(call: InspectedCall): ExplainedCall {
  const forward = forwardOf(call) ?? call
  const keys = { ...gradientsOf(inspection, forward), ...forward.tensors }
  const tensors = Object.fromEntries(
    Object.entries(keys).flatMap(([name, key]) => {
      const values = valuesOf(key)
      return values ? [[name, values] as const] : []
    }),
  )
  return { operator: forward.operator, attrs: forward.attrs, tensors }
}

export type Cost = NonNullable<InspectedDispatch['cost']>

/** Which limit a dispatch meets first: under the slope of the roofline, or under its flat part. */
export function limitOf({ flops, bytes }: Cost): 'memory' | 'arithmetic' {
  const { gflops, gbps } = inspection.peak ?? { gflops: 1, gbps: 1 }
  return flops / bytes < gflops / gbps ? 'memory' : 'arithmetic'
}
