/** The calls of a recording with their tensors packed. */
import type { RecordedCall } from '../gpu/recording.ts'
import type { InspectedCall } from './inspection.ts'
import { type PackedTensor, packTensor } from './pack.ts'

/**
 * Values of a weight or its gradient that the page keeps, and of an activation: a page of a few
 * megabytes.
 */
const keptWeights = 2 ** 15
const keptActivations = 2 ** 18

/**
 * Calls with their tensors packed; a tensor that one call writes and the next reads is kept once.
 */
export function packCalls(calls: readonly RecordedCall[]): {
  readonly calls: InspectedCall[]
  readonly tensors: Record<string, PackedTensor>
} {
  const tensors: Record<string, PackedTensor> = {}
  const kept = new Map<string, { readonly key: string; readonly values: Float32Array }[]>()
  const keep = (
    key: string,
    name: string,
    shape: readonly number[],
    values: Float32Array,
  ): string => {
    const alike = kept.get(shape.join()) ?? []
    kept.set(shape.join(), alike)
    const same = alike.find(
      (one) =>
        one.values.length === values.length &&
        one.values.every((value, i) => Object.is(value, values[i])),
    )
    if (same) return same.key
    tensors[key] = packTensor(
      shape,
      values,
      /^(d?(weight|bias)|p)$/.test(name) ? keptWeights : keptActivations,
    )
    alike.push({ key, values })
    return key
  }
  const packed = calls.map(({ tensors: own, attrs, ...rest }, index): InspectedCall => {
    const entries = Object.entries(own).flatMap(([name, { shape, values }]) =>
      values ? [[name, keep(`${index}.${name}`, name, shape, values)] as const] : [],
    )
    return { ...rest, attrs: plainAttrs(attrs), tensors: Object.fromEntries(entries) }
  })
  return { calls: packed, tensors }
}

/** The options that are numbers, words or lists of them: others are buffers. */
function plainAttrs(attrs: unknown): Record<string, unknown> {
  const plain = (value: unknown) => ['number', 'string', 'boolean'].includes(typeof value)
  return Object.fromEntries(
    Object.entries(attrs ?? {}).flatMap(([name, value]: [string, unknown]) => {
      const list = value instanceof Int32Array ? [...value] : value
      return plain(list) || (Array.isArray(list) && list.every(plain)) ? [[name, list]] : []
    }),
  )
}
