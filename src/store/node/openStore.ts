import { type Store, StoreError } from '../store.ts'
import { isBelow, type Place, parseAddress, writeAddress } from './address.ts'
import { FileStore } from './fileStore.ts'
import { openS3Store } from './s3Store.ts'

/**
 * Opens a store. Nothing is read yet, and a folder that is not there is made by the first write.
 * @param address `s3://bucket/prefix`, `file:///folder`, or the path of a folder
 * @throws StoreError `refused` for any other address
 * @throws GraftError with code `package` if the package for S3 is not installed
 * @example const store = await openStore('s3://photos/2024')
 */
export async function openStore(address: string): Promise<Store> {
  return openPlace(parseAddress(address))
}

async function openPlace(place: Place): Promise<Store> {
  const address = writeAddress(place)
  return place.kind === 'file' ? new FileStore(place.path, address) : openS3Store(place, address)
}

/** The stores that a worker was given: it reads and writes nowhere else. */
export class Stores {
  readonly #allowed: readonly Place[]
  readonly #opened = new Map<string, Promise<Store>>()

  /** @throws StoreError `refused` for what is no address */
  constructor(addresses: readonly string[]) {
    this.#allowed = addresses.map(parseAddress)
  }

  /**
   * The store of an address that was given, or of a folder in one.
   * @throws StoreError `refused` for any other
   */
  async store(address: string): Promise<Store> {
    const place = parseAddress(address)
    if (!this.#allowed.some((allowed) => isBelow(place, allowed)))
      throw new StoreError(
        'refused',
        `${address.slice(0, 200)} is in none of the stores that were given: ` +
          (this.#allowed.map(writeAddress).join(', ') || 'there are none'),
      )
    const key = writeAddress(place)
    const store = this.#opened.get(key) ?? openPlace(place)
    this.#opened.set(key, store)
    return store
  }

  /**
   * Looks whether the buckets are there: a folder may be made by the first write.
   * @throws StoreError for one that is not, or that cannot be read
   */
  async requireBuckets(): Promise<void> {
    for (const place of this.#allowed) {
      if (place.kind !== 's3') continue
      const store = await this.store(writeAddress(place))
      for await (const _ of store.list('')) break
    }
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.#opened.values())
    this.#opened.clear()
    await Promise.all(opened.map((one) => (one.status === 'fulfilled' ? one.value.close() : null)))
  }
}
