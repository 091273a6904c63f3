import { WeightsError } from '../../base/errors.ts'
import type { NamedArray, StateDict } from '../../base/stateDict.ts'
import { contiguousStrides, elementCount, gather, quote } from '../arrays.ts'
import { itemSize, widenInPlace } from '../dtype.ts'
import { requireRoom } from '../source.ts'
import type { TorchStorage, TorchTensor } from './torchRules.ts'

/** Reads the bytes of a storage, in an array that is the caller's. */
export type ReadStorage = (storage: TorchStorage) => Promise<Uint8Array<ArrayBuffer>>

/**
 * Reads the tensors' numbers, storage by storage. A contiguous tensor is a window of its widened
 * storage, so that what shares a storage shares memory and nothing is held twice; others are
 * gathered by their strides.
 *
 * @throws WeightsError where a tensor does not lie in its storage, or all together would take far
 * more memory than the file has bytes
 */
export async function materialize(
  tensors: ReadonlyMap<string, TorchTensor>,
  read: ReadStorage,
  fileSize: number,
): Promise<StateDict> {
  const byKey = new Map<string, [string, TorchTensor][]>()
  let bytes = 0
  for (const [name, tensor] of tensors) {
    const { storage } = tensor
    checkWindow(name, tensor)
    if (!isContiguous(tensor)) bytes += 4 * sizeOf(tensor)
    const users = byKey.get(storage.key)
    if (users) users.push([name, tensor])
    else {
      byKey.set(storage.key, [[name, tensor]])
      bytes += storage.length * (storage.dtype === 'F32' ? 4 : 4 + itemSize(storage.dtype))
    }
  }
  requireRoom('its tensors', bytes, fileSize)
  const arrays = new Map<string, NamedArray>()
  for (const users of byKey.values()) {
    const storage = users[0]?.[1].storage
    if (!storage) continue
    const values = widenInPlace(storage.dtype, await read(storage))
    for (const [name, tensor] of users)
      arrays.set(name, {
        shape: tensor.shape,
        data: valuesOf(tensor, values),
        dtype: storage.dtype,
      })
  }
  return Object.fromEntries(
    Array.from(tensors.keys(), (name) => [
      name,
      arrays.get(name) ?? { shape: [0], data: new Float32Array(0) },
    ]),
  )
}

function sizeOf({ shape }: TorchTensor): number {
  return shape.reduce((product, size) => product * size, 1)
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
    (index, size, i) => index + (size - 1) * (strides[i] ?? 0),
    storage.start + offset,
  )
  if (sizeOf(tensor) > 0 && !(last < storage.length))
    throw new WeightsError(
      `tensor ${quote(name)} of shape [${shape.join(', ')}] and strides [${strides.join(', ')}] does not lie in the ${storage.length} numbers of its storage; damaged`,
    )
}

function valuesOf(tensor: TorchTensor, values: Float32Array): Float32Array {
  const { storage, offset, shape, strides } = tensor
  const count = sizeOf(tensor)
  const start = storage.start + offset
  if (count === 0) return new Float32Array(0)
  if (isContiguous(tensor)) return values.subarray(start, start + count)
  return gather(values, shape, strides, start)
}
