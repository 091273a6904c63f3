import { DataError } from '../base/errors.ts'
import type { StoredImage } from '../host/host.ts'
import { type Store, type StoredObject, StoreError } from './store.ts'

/**
 * An image that an object holds, or a member of an archive.
 * @param member where in the object, if it is an archive
 */
export function storedImage(
  store: Store,
  { path, version, bytes }: StoredObject,
  member?: { readonly start: number; readonly bytes: number },
): StoredImage {
  const address = `${store.address}/${path}`
  return {
    address,
    version,
    ...(member ?? { bytes }),
    read: async () => {
      const content = await store.read(path, member).catch((cause: unknown) => {
        if (!(cause instanceof StoreError) || cause.problem !== 'missing') throw cause
        throw new DataError(`${address} is not there any more`, { cause })
      })
      if (content.length === (member ?? { bytes }).bytes) return content
      throw new DataError(`${address} was changed while it was in use: run this again`)
    },
  }
}
