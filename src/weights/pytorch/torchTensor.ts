import { isCount } from '../arrays.ts'
import { type DtypeName, itemSize } from '../dtype.ts'
import { PickleDict, PickleObject } from './pickleValues.ts'

/** Numbers that the file holds under a key, as the pickle describes them. */
export class TorchStorage {
  readonly key: string
  readonly dtype: DtypeName
  /** How many numbers the key has. */
  readonly length: number
  /** The index of its first number, in old files where a storage can be a window of another. */
  readonly start: number

  constructor(key: string, dtype: DtypeName, length: number, start: number) {
    this.key = key
    this.dtype = dtype
    this.length = length
    this.start = start
  }

  /** Bytes that the numbers take in the file. */
  get byteLength(): number {
    return this.length * itemSize(this.dtype)
  }
}

/** Numbers that lie in the pickle itself, as NumPy's do. */
export class InlineStorage extends TorchStorage {
  readonly bytes: Uint8Array

  constructor(dtype: DtypeName, bytes: Uint8Array) {
    super('', dtype, bytes.length / itemSize(dtype), 0)
    this.bytes = bytes
  }
}

/** A tensor: a view of a storage, not read yet. Offset and strides count elements. */
export class TorchTensor {
  readonly storage: TorchStorage
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]

  constructor(
    storage: TorchStorage,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    this.storage = storage
    this.offset = offset
    this.shape = shape
    this.strides = strides
  }
}

/** Whether a value is a shape or strides; more than PyTorch's limit of 64 are none. */
export function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every(isCount)
}

/**
 * A tensor that the pickle makes empty and fills afterwards: an array of NumPy, a parameter of
 * PyTorch before 0.4. It stays an object where what it is filled with is no tensor that is read.
 */
export class LateTensor extends PickleObject {
  tensor: TorchTensor | null = null
}

/** A value as a tensor, or null if it is none. */
export function tensorOf(value: unknown): TorchTensor | null {
  if (value instanceof TorchTensor) return value
  return value instanceof LateTensor ? value.tensor : null
}

/**
 * The objects in a value, at any depth, each once, with the keys and indices that lead to it:
 * 'args', 'callbacks.0'. What an object itself holds is not looked at.
 */
export function* objectsIn(saved: unknown): Generator<readonly [path: string, PickleObject]> {
  const seen = new Set<unknown>()
  const open: (readonly [path: string, value: unknown])[] = [['', saved]]
  for (let next = open.pop(); next; next = open.pop()) {
    const [path, value] = next
    if (typeof value !== 'object' || value === null || seen.has(value)) continue
    seen.add(value)
    if (value instanceof PickleObject && !tensorOf(value)) yield [path, value]
    const items: Iterable<[unknown, unknown]> =
      value instanceof PickleDict
        ? value.entries
        : Array.isArray(value)
          ? Array.from<unknown>(value).entries()
          : []
    // The last one that is opened comes first.
    for (const [key, item] of [...items].reverse()) {
      const step = typeof key === 'string' || typeof key === 'number' ? `${key}` : '…'
      open.push([path ? `${path}.${step}` : step, item])
    }
  }
}
