import { at } from '../../base/at.ts'
import { WeightsError } from '../../base/errors.ts'
import type { NamedArray, StateDict } from '../../base/stateDict.ts'
import { contiguousStrides, elementCount, gather, product, quote } from '../arrays.ts'
import { itemSize, widenInPlace } from '../dtype.ts'
import { requireRoom } from '../source.ts'
import { InlineStorage, type TorchStorage, type TorchTensor } from './torchTensor.ts'

/** Reads the bytes of a storage into a new array. */
export type ReadStorage = (storage: TorchStorage) => Promise<Uint8Array<ArrayBuffer>>

/**
 * Reads the tensors' numbers, storage by storage. A contiguous tensor is a view of its widened
 * storage, so that tensors which share a storage share memory; others are gathered by their
 * strides.
 *
 * @throws WeightsError if a tensor reaches out of its storage, or all tensors would take far more
 * memory than the file has bytes
 */
export async function materialize(
  tensors: ReadonlyMap<string, TorchTensor>,
  read: ReadStorage,
  fileSize: number,
): Promise<StateDict> {
  const byKey = new Map<unknown, { storage: TorchStorage; users: [string, TorchTensor][] }>()
  let bytes = 0
  for (const [name, tensor] of tensors) {
    const { storage } = tensor
    checkWindow(name, tensor)
    if (!isContiguous(tensor)) bytes += 4 * product(tensor.shape)
    // Plain bytes can be numbers of more than one type; an inline storage is a key by itself.
    const key = storage instanceof InlineStorage ? storage : `${storage.key} ${storage.dtype}`
    const known = byKey.get(key)
    if (known) known.users.push([name, tensor])
    else {
      byKey.set(key, { storage, users: [[name, tensor]] })
      bytes += storage.length * (storage.dtype === 'F32' ? 4 : 4 + itemSize(storage.dtype))
    }
  }
  requireRoom('its tensors', bytes, fileSize)
  // Filled below, storage by storage; the order of the names stays that of the checkpoint.
  const arrays = new Map<string, NamedArray>(
    Array.from(tensors, ([name, { shape }]) => [name, { shape, data: new Float32Array() }]),
  )
  for (const { storage, users } of byKey.values()) {
    const bytes = storage instanceof InlineStorage ? storage.bytes : await read(storage)
    const values = widenInPlace(storage.dtype, bytes.subarray(0, storage.byteLength))
    for (const [name, tensor] of users) {
      const data = valuesOf(tensor, values)
      arrays.set(name, { shape: tensor.shape, data, dtype: storage.dtype })
    }
  }
  return Object.fromEntries(arrays)
}

function isContiguous({ shape, strides }: TorchTensor): boolean {
  const wanted = contiguousStrides(shape)
  return shape.every((size, i) => size === 1 || strides[i] === wanted[i])
}

function checkWindow(name: string, tensor: TorchTensor): void {
  const { storage, offset, shape, strides } = tensor
  if (elementCount(shape, 8) === null)
    throw new WeightsError(
      `tensor ${quote(name)}: its shape [${shape.join(', ')}] overflows; damaged`,
    )
  const last = shape.reduce(
    (index, size, i) => index + (size - 1) * at(strides, i),
    storage.start + offset,
  )
  if (product(tensor.shape) > 0 && !(last < storage.length))
    throw new WeightsError(
      `tensor ${quote(name)} of shape [${shape.join(', ')}] and strides [${strides.join(', ')}] ` +
        `does not lie in the ${storage.length} numbers of its storage; damaged`,
    )
}

function valuesOf(tensor: TorchTensor, values: Float32Array): Float32Array {
  const { storage, offset, shape, strides } = tensor
  const count = product(tensor.shape)
  const start = storage.start + offset
  if (count === 0) return new Float32Array(0)
  if (isContiguous(tensor)) return values.subarray(start, start + count)
  return gather(values, shape, strides, start)
}
