/**
 * What differs between Node and a browser, behind one interface. node/ and browser/ hold the two
 * implementations; src/nodeHost.ts and src/browserHost.ts put them together.
 */
import type { AdapterAttempt } from '../base/errors.ts'
import type { LoadOptions, StateDict } from '../base/stateDict.ts'
import type { WeightsPlace } from '../base/weightsPlace.ts'

/** What computes: a GPU, or one of two drivers that compute on the CPU. */
export type AdapterKind = AdapterAttempt['kind']
/** A kind, or the best one available: hardware, else lavapipe, else SwiftShader. */
export type AdapterChoice = 'auto' | AdapterKind

/** An adapter, and what was tried before it. */
export interface FoundAdapter {
  readonly adapter: GPUAdapter
  readonly kind: AdapterKind
  readonly attempts: readonly AdapterAttempt[]
}

/** A part of a file: a member of a tar archive that is not compressed. */
export interface FileRange {
  readonly path: string
  /** Offset of the first byte. */
  readonly start: number
  /** Length in bytes. */
  readonly bytes: number
}

/** An image in a store of objects: an object, or a member of a tar archive that is one. */
export interface StoredImage {
  /** Of the object: the store's address, a slash, and the path below it. */
  readonly address: string
  /** Changes whenever the object's content does. */
  readonly version: string
  /** Length in bytes. */
  readonly bytes: number
  /** Offset of the first byte in the archive; absent if the image is the object itself. */
  readonly start?: number
  /** @throws DataError if it is not there; what else goes wrong may go well another time */
  read(): Promise<Uint8Array>
}

/**
 * An encoded image: a file's path (in a browser an address), a part of a file, its bytes, a blob
 * such as a `File`, or an image in a store.
 */
export type Source = string | FileRange | Uint8Array | Blob | StoredImage

/** Whether an image is in a store. */
export function isStored(source: Source): source is StoredImage {
  return typeof source === 'object' && 'version' in source
}

/** A decoded image: 8-bit sRGB. */
export interface RgbImage {
  /** Rows from the top, pixels from the left, three bytes each: `height * width * 3`. */
  readonly data: Uint8Array
  /** In pixels. */
  readonly width: number
  readonly height: number
}

/**
 * Grants room in memory for decoding an image.
 * @param bytes what it will take, with what the decoder holds
 */
export type Reserve = (bytes: number) => Promise<void>

/** Whether an image is decoded already. */
export function isDecoded(image: Source | RgbImage): image is RgbImage {
  return typeof image === 'object' && 'width' in image
}

/** Files by path: on Node's disk, or in the database of a browser's page. */
export interface Files {
  /** A file's bytes, or null if there is no such file. */
  read(path: string): Promise<Uint8Array | null>
  /**
   * Writes a file, one part after the other, and creates the folders above it. After a crash at any
   * moment there is either the old file or the whole new one.
   */
  write(path: string, parts: readonly Uint8Array[]): Promise<void>
  /** Removes a file, if there is one. */
  remove(path: string): Promise<void>
  /** Removes what an interrupted write left in a folder; nothing else may be writing to it. */
  sweep(folder: string): Promise<void>
}

/** The tilings measured on each adapter, as text by name. */
export interface TilingStore {
  read(name: string): Promise<string | null>
  write(name: string, text: string): Promise<void>
}

/** What an engine needs of the system it runs on. */
export interface Host {
  /** @throws AdapterError with every attempt, if there is no adapter of the wanted kind */
  requestAdapter(choice: AdapterChoice): Promise<FoundAdapter>
  /** Every file under shaders/, by its path there: 'conv2d/forward.wgsl' to text. */
  readShaders(): Promise<ReadonlyMap<string, string>>
  /**
   * The implementation of WebGPU and its version: tilings measured with another one do not apply.
   */
  readonly runtime?: string
  /** Keeps measured tilings; without it they are lost when the engine closes. */
  readonly tilingStore?: TilingStore
  /**
   * Bytes that buffers on such an adapter may still take: the machine's free memory where the CPU
   * computes. Null, or no function, if unknown.
   */
  freeBytes?(kind: AdapterKind): number | null
  /** How many threads run at a time. */
  readonly cores: number
  /** Leaves the processor to an adapter that computes on it, until `work` settles. */
  rest?(work: Promise<unknown>): void
  /** Decodes an image to pixels; `reserve` is waited for once its size is known. */
  readonly decodeImage: (source: Source, name?: string, reserve?: Reserve) => Promise<RgbImage>
  /** The arrays of a weights file, by a name that Graft knows or by a path. */
  readonly loadWeights: (
    nameOrPath: string,
    options?: LoadOptions,
  ) => Promise<{
    readonly tensors: StateDict
    readonly metadata: Record<string, string>
    readonly ignored?: readonly string[]
    readonly remarks?: readonly string[]
  }>
  /** Opens a weights file by its path, in a browser also by its address. */
  readonly openWeights: (path: string) => Promise<WeightsPlace>
  /** Keeps checkpoints. */
  readonly files: Files
}
