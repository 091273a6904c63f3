/** One labelled picture, not yet decoded. */
export interface Sample {
  /** A file's path, or an encoded picture's bytes. */
  readonly source: string | Uint8Array
  /** How messages call it: for files the path below the dataset's root, with `/` on every system. */
  readonly name: string
  /** Index into the dataset's `classes`. */
  readonly label: number
}

/** Labelled pictures in two parts that share no picture: one to train on, one to validate on. */
export interface ImageDataset {
  /** The folder it came from. */
  readonly root: string
  /** Class names, sorted by code unit; a label is an index into them. */
  readonly classes: readonly string[]
  readonly train: readonly Sample[]
  readonly val: readonly Sample[]
}

/** Orders strings by code unit, which is the same on every system and in every locale. */
export function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
