/**
 * Named bytes, on a disk or in an object store, behind one small interface. Workers on several
 * machines share them: what one has written, every other reads.
 */
import { GraftError } from '../base/errors.ts'

/** One object of a store. */
export interface StoredObject {
  /** Below the store's address, with `/` between names. */
  readonly path: string
  readonly bytes: number
  /** Changes whenever the content does: an ETag, or a file's state. */
  readonly version: string
}

export interface Store {
  /** Where it lies: `file:///data/work` or `s3://bucket/prefix`, without a `/` at its end. */
  readonly address: string
  /** An object's size and version; null if there is none. */
  stat(path: string): Promise<StoredObject | null>
  /**
   * An object's bytes, or a part of them.
   * @throws StoreError `missing` if there is no such object, or it ends before the part does
   */
  read(path: string, part?: { readonly start: number; readonly bytes: number }): Promise<Uint8Array>
  /**
   * Writes an object: whoever reads meanwhile sees the old one or the whole new one.
   * @param options.ifAbsent leaves an object that is there already as it is
   * @returns false if there was one already and `ifAbsent` was given
   */
  write(
    path: string,
    content: Uint8Array,
    options?: { readonly ifAbsent?: boolean },
  ): Promise<boolean>
  /**
   * The objects below a folder, all of them for '', in the order of their paths' bytes in UTF-8.
   * Paths are as they are in the store: of a bucket they may be ones that `requirePath` refuses.
   */
  list(folder: string): AsyncIterable<StoredObject>
  /** Removes an object, if there is one. */
  remove(path: string): Promise<void>
  close(): Promise<void>
}

/**
 * What is wrong with an access: `unreachable` may go well when it is tried again, and all but
 * `refused` on another machine.
 */
export type StoreProblem = 'missing' | 'denied' | 'unreachable' | 'refused'

/**
 * An object, or a whole store, that cannot be read or written; `problem` says whether it may be
 * there another time.
 * @example
 * if (error instanceof StoreError && error.problem === 'unreachable') await later()
 */
export class StoreError extends GraftError {
  readonly problem: StoreProblem

  constructor(problem: StoreProblem, message: string, options?: ErrorOptions) {
    super('store', message, options)
    this.problem = problem
  }
}

/**
 * A path below a store's address, as it is allowed in jobs and manifests, which may come from
 * others: relative, without `.`, `..`, empty names, backslashes and control characters.
 * @throws StoreError `refused` for any other
 */
export function requirePath(path: string): string {
  const names = path.split('/')
  const odd = names.some((name) => name === '' || name === '.' || name === '..')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (odd || /[\\\u0000-\u001f]/.test(path) || path.length > 1024)
    throw new StoreError(
      'refused',
      `${path.slice(0, 100)} is no path in a store: names between single slashes are`,
    )
  return path
}
