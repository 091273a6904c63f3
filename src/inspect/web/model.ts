/** The page's data, and ways to look things up in it. */
import { gradientsOf } from '../calls.ts'
import type { InspectedCall, Inspection } from '../inspection.ts'
import { unpackTensor } from '../pack.ts'
import type { ExplainedCall, Values } from '../terms.ts'

export const inspection: Inspection = JSON.parse(document.getElementById('inspection')?.textContent ?? '')

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
  return inspection.calls.find((one) => one.pass === 'forward' && one.layer === call.layer && one.operator === call.operator)
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

/** '1.23 ms', '45 µs'. */
export function time(milliseconds: number | null): string {
  if (milliseconds === null) return 'not timed'
  if (milliseconds >= 100) return `${milliseconds.toFixed(0)} ms`
  return milliseconds >= 1 ? `${milliseconds.toFixed(2)} ms` : `${(1000 * milliseconds).toFixed(0)} µs`
}

/** '1.2 M', '3.4 G': of operations, bytes or values. */
export function amount(value: number): string {
  const units = ['', ' k', ' M', ' G', ' T']
  const unit = Math.min(units.length - 1, value < 1000 ? 0 : Math.floor(Math.log10(value) / 3))
  return `${unit === 0 ? value : (value / 1000 ** unit).toPrecision(3)}${units[unit]}`
}

/** A value as one reads it: six digits. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  return value === 0 ? '0' : size >= 1e5 || size < 1e-4 ? value.toExponential(3) : String(Number(value.toPrecision(6)))
}

export const shapeText = (shape: readonly number[]) => `[${shape.join(', ')}]`
