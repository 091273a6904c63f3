/** The calls of a recording with their tensors packed. */
import { at } from '../base/at.ts'
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
  const readBy = readsOf(calls)
  const packed = calls.map(({ tensors: own, attrs, ...rest }, index): InspectedCall => {
    const entries = Object.entries(own).flatMap(([name, { shape, values }]) =>
      values ? [[name, keep(`${index}.${name}`, name, shape, values)] as const] : [],
    )
    return {
      ...rest,
      attrs: plainAttrs(attrs),
      tensors: Object.fromEntries(entries),
      reads: at(readBy, index),
    }
  })
  return { calls: packed, tensors }
}

/**
 * The forward calls whose results each forward call reads. Memory is used again in the course of a
 * step, so what counts is the last result that was written there. A flattened tensor lies in the
 * memory of the one that it flattens.
 */
function readsOf(calls: readonly RecordedCall[]): number[][] {
  const writers = new Map<number, number>()
  const image = calls.find(({ pass }) => pass === 'forward')?.tensors.x
  if (image) writers.set(image.buffer, -1)
  return calls.map(({ pass, tensors }, index) => {
    if (pass !== 'forward') return []
    const { y, ...inputs } = tensors
    const found = Object.values(inputs).flatMap(({ buffer }) => writers.get(buffer) ?? [])
    if (y) writers.set(y.buffer, index)
    return [...new Set(found)]
  })
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
