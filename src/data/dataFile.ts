import { DataError } from '../base/errors.ts'
import { openInput, readError, readRange, requireSize } from '../base/node/inputFile.ts'
import { type Store, type StoredObject, StoreError } from '../store/store.ts'

/** A file of a dataset, on the disk or in a store: a table of labels, or an archive. */
export interface DataFile {
  /** Its path or address, for messages. */
  readonly name: string
  /** Bytes that are read at once where more will be wanted: asking costs more in a store. */
  readonly aheadBytes: number
  /**
   * @param most the most bytes that such a file may have
   * @throws ReadError or StoreError if it cannot be read
   */
  open(most?: number): Promise<OpenFile>
}

export interface OpenFile {
  readonly size: number
  /** @throws ReadError or StoreError if the file ends before the part does */
  read(start: number, bytes: number): Promise<Buffer>
  close(): Promise<void>
}

export function diskFile(path: string): DataFile {
  return {
    name: path,
    aheadBytes: 2 ** 17,
    async open(most) {
      const { file, size } = await openInput(path, most)
      return {
        size,
        read: (start, bytes) => readRange(path, file, start, bytes),
        close: () => file.close(),
      }
    },
  }
}

export function storedFile(
  store: Store,
  { path, bytes: size }: StoredObject,
  name = `${store.address}/${path}`,
): DataFile {
  return {
    name,
    aheadBytes: 2 ** 20,
    async open(most = size) {
      requireSize(name, size, most)
      return {
        size,
        async read(start, length) {
          const bytes = await store.read(path, { start, bytes: length })
          return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
        },
        close: async () => undefined,
      }
    },
  }
}

/**
 * A file's bytes, one piece after the other; it is closed when the loop ends or is left.
 * @throws ReadError or StoreError as `open` does
 */
export async function* piecesOf(
  { aheadBytes, open }: DataFile,
  most: number,
): AsyncGenerator<Buffer, void, undefined> {
  const file = await open(most)
  const piece = 8 * aheadBytes
  try {
    for (let at = 0; at < file.size; at += piece)
      yield await file.read(at, Math.min(piece, file.size - at))
  } finally {
    await file.close()
  }
}

/** The error for a file of a dataset that cannot be read. */
export function unreadable(name: string, cause: unknown): DataError | StoreError {
  if (cause instanceof StoreError || cause instanceof DataError) return cause
  return new DataError(`cannot read ${name} (${readError(name, cause).reason})`, { cause })
}
