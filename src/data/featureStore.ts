import type { Sample } from './dataset.ts'
import type { ImageKeys } from './imageKeys.ts'

/** Where a row is stored: a number that its table assigns. */
export type Place = number

/**
 * What a table knows about an image: the place of its row, or, if it has none, its encoded bytes
 * and the keys to keep a row under.
 */
export type Sought =
  | { readonly place: Place }
  | { readonly bytes: Uint8Array; readonly keys: ImageKeys }

/** The rows of one way of computing them. */
export interface FeatureTable {
  /** The number of rows of earlier runs: their places are below it. */
  readonly rowsInFiles: number
  /** Finds the rows of earlier runs. */
  open(): Promise<void>
  /**
   * Looks for an image's row.
   * @throws DataError for an image that cannot be read
   */
  seek(sample: Pick<Sample, 'source' | 'name'>): Promise<Sought>
  /**
   * Adds a row, and returns its place.
   * @throws GraftError with code `write` if there is no room for it
   */
  add(keys: ImageKeys, row: Float32Array): Promise<Place>
  /** Stores the rows added since the last time. @throws GraftError as `add` does */
  flush(): Promise<void>
  /** Reads rows by their places into `into`, one after the other. */
  read(places: ArrayLike<Place>, into: Float32Array): Promise<void>
  close(): Promise<void>
}

/** Keeps the outputs of frozen layers from one training to the next: on disk, or in a page. */
export interface FeatureStore {
  /** The most bytes that it may hold. */
  readonly limit: number
  /**
   * The rows that were computed in one way.
   * @param key names that way
   * @param width numbers per row
   */
  table(key: string, width: number): FeatureTable
  /** A name for a table, from everything that its rows depend on. */
  nameOf(parts: readonly (string | Float32Array)[]): string | Promise<string>
}
