import { createStore, del, get, set, type UseStore } from 'idb-keyval'
import { GraftError } from '../../base/errors.ts'
import type { Files } from '../host.ts'

let opened: UseStore | null = null

/** Opened at its first use, so that a page that keeps nothing has no database. */
function store(): UseStore {
  opened ??= createStore('graft', 'files')
  return opened
}

/**
 * Files in IndexedDB. Each file is one entry of the page's origin, written completely or not at
 * all.
 */
export const pageFiles: Files = {
  async read(path) {
    const blob = await get<Blob>(path, store())
    return blob ? new Uint8Array(await blob.arrayBuffer()) : null
  },
  async write(path, parts) {
    try {
      await set(
        path,
        new Blob(parts as readonly Uint8Array<ArrayBuffer>[] as Uint8Array<ArrayBuffer>[]),
        store(),
      )
    } catch (cause) {
      const reason =
        cause instanceof Error && cause.name === 'QuotaExceededError'
          ? 'the browser gives the page no more space'
          : String(cause)
      throw new GraftError('write', `cannot keep ${path} in the browser's database: ${reason}`, {
        cause,
      })
    }
  },
  remove: (path) => del(path, store()),
  sweep: async () => {},
}
