import { ShapeError } from '../../base/errors.ts'
import type { BindingLimits } from '../limits.ts'
import type { Storage } from './pool.ts'

/** Part of a storage, as one binding. `offset` is a multiple of the limits' alignment. */
export interface Window {
  readonly storage: Storage
  readonly offset: number
  readonly bytes: number
}

/** What a launch binds: a whole storage, or part of one. */
export type Bindable = Storage | Window

/** The storage that is bound, whole or in part. */
export function storageOf(bound: Bindable): Storage {
  return 'offset' in bound ? bound.storage : bound
}

/** Neighboring items of an array. */
export interface Part {
  readonly first: number
  readonly count: number
}

/**
 * An array in the fewest parts, of nearly equal length, that each fit into one binding.
 * @param count items of the array, `itemBytes` each, a multiple of 4
 * @throws ShapeError where one item alone does not fit
 */
export function partsOf(limits: BindingLimits, count: number, itemBytes: number): Part[] {
  if (count * itemBytes <= limits.bytes) return [{ first: 0, count }]
  // Items that begin where a binding may begin are `step` apart. Where that many items do not fit
  // into a binding, a part begins inside its window.
  const step = limits.alignment / greatestCommonDivisor(limits.alignment, itemBytes)
  const stepped = step * itemBytes <= limits.bytes
  const most = stepped
    ? Math.floor(limits.bytes / (step * itemBytes)) * step
    : Math.floor((limits.bytes - limits.alignment) / itemBytes)
  if (most < 1)
    throw new ShapeError(
      `one row of a tensor takes ${itemBytes} bytes, and this adapter binds ${limits.bytes} at ` +
        'once; use narrower layers',
    )
  const even = Math.ceil(count / Math.ceil(count / most))
  const size = stepped ? Math.ceil(even / step) * step : even
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => ({
    first: i * size,
    count: Math.min(size, count - i * size),
  }))
}

/**
 * One part of a storage as a binding, and at which 4-byte element of the binding the part begins.
 */
export function windowOf(
  limits: BindingLimits,
  storage: Storage,
  { first, count }: Part,
  itemBytes: number,
): { readonly storage: Bindable; readonly base: number } {
  const begin = first * itemBytes
  if (begin === 0 && storage.bytes <= limits.bytes) return { storage, base: 0 }
  const offset = Math.floor(begin / limits.alignment) * limits.alignment
  return {
    storage: { storage, offset, bytes: begin + count * itemBytes - offset },
    base: (begin - offset) / 4,
  }
}

/**
 * Calls `body` for parts of arrays of `n` 4-byte elements, each small enough to bind: element-wise
 * kernels launch over them. Parts begin at whole vectors of four, and the last one's window extends
 * to the end of the storages, which are padded to whole vectors.
 * @param body called for each part with its windows, and how many elements it has
 */
export function eachPart<Name extends string>(
  limits: BindingLimits,
  n: number,
  arrays: Readonly<Record<Name, Storage>>,
  body: (windows: Readonly<Record<Name, Bindable>>, n: number) => void,
): void {
  const block = limits.alignment
  const names = Object.keys(arrays) as Name[]
  for (const part of partsOf(limits, Math.ceil((4 * n) / block), block)) {
    const windows = names.map(
      (name) => [name, windowOf(limits, arrays[name], part, block).storage] as const,
    )
    body(
      Object.fromEntries(windows) as Record<Name, Bindable>,
      Math.min((part.count * block) / 4, n - (part.first * block) / 4),
    )
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
