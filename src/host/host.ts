import type { StateDict } from '../base/stateDict.ts'
import type { Platform } from './platform.ts'

/** A part of a file: a member of a tar archive that is not compressed. */
export interface FileRange {
  readonly path: string
  /** The first byte, and how many. */
  readonly start: number
  readonly bytes: number
}

/**
 * Where an encoded image lies: a file's path (in a browser an address), a part of a file, its
 * bytes, or a blob such as a `File`.
 */
export type Source = string | FileRange | Uint8Array | Blob

/** A decoded image: 8-bit sRGB. */
export interface RgbImage {
  /** Rows from the top, pixels from the left, three bytes each: `height * width * 3`. */
  readonly data: Uint8Array
  /** In pixels. */
  readonly width: number
  readonly height: number
}

/** Whether an image is decoded already. */
export function isDecoded(image: Source | RgbImage): image is RgbImage {
  return typeof image === 'object' && 'width' in image
}

/** Files by path: Node's lie on the disk, a browser's in the page's own database. */
export interface Files {
  /** A file's bytes, or null where there is none. */
  read(path: string): Promise<Uint8Array | null>
  /**
   * Writes a file, one part after the other, and the folders above it. Whatever happens meanwhile,
   * the old file is left or the whole new one.
   */
  write(path: string, parts: readonly Uint8Array[]): Promise<void>
  /** Removes a file, where there is one. */
  remove(path: string): Promise<void>
  /** Removes what a write that was cut short has left in a folder that nobody else writes to. */
  sweep(folder: string): Promise<void>
}

/**
 * What an engine finds around it, besides its GPU: what differs between Node and a browser, and
 * nothing else.
 */
export interface Host extends Platform {
  /** Pixels of an encoded image. */
  readonly decodeImage: (source: Source, name?: string) => Promise<RgbImage>
  /** Arrays of a weights file, by a name that Graft knows or by a path. */
  readonly loadWeights: (
    nameOrPath: string,
  ) => Promise<{ readonly tensors: StateDict; readonly metadata: Record<string, string> }>
  /** Where checkpoints are kept. */
  readonly files: Files
  readonly cores: number
}
