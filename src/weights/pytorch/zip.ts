import { Uint8ArrayReader, Writer, ZipWriter } from '@zip.js/zip.js/lib/zip-core.js'

/** The folder of all entries; its name does not matter. */
const folder = 'archive'
/** An upper bound for an entry's local header, padding, data descriptor and directory record. */
const entryOverhead = 512

/**
 * A ZIP as PyTorch wants it: entries in a folder, stored as they are, whose values begin at
 * multiples of 64 bytes.
 * @param entries names and bytes, in order
 */
export async function zipAligned(
  entries: readonly (readonly [string, Uint8Array])[],
): Promise<Uint8Array> {
  const capacity = entries.reduce(
    (sum, [, bytes]) => sum + bytes.length + entryOverhead,
    entryOverhead,
  )
  // USDZ files are aligned in the same way.
  const zip = new ZipWriter(new ArrayWriter(capacity), {
    usdz: true,
    useWebWorkers: false,
    extendedTimestamp: false,
    lastModDate: new Date(1980, 0, 1),
  })
  for (const [name, bytes] of entries)
    await zip.add(`${folder}/${name}`, new Uint8ArrayReader(bytes))
  return zip.close()
}

/** Writes into one array allocated beforehand; the library's own writer doubles its array. */
class ArrayWriter extends Writer<Uint8Array> {
  readonly #bytes: Uint8Array
  #length = 0

  constructor(capacity: number) {
    super()
    this.#bytes = new Uint8Array(capacity)
  }

  override async writeUint8Array(part: Uint8Array): Promise<void> {
    this.#bytes.set(part, this.#length)
    this.#length += part.length
  }

  override async getData(): Promise<Uint8Array> {
    return this.#bytes.subarray(0, this.#length)
  }
}
