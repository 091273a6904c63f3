import type { AdapterAttempt } from '../base/errors.ts'

/** What computes: a GPU, or one of two drivers that compute on the CPU. */
export type AdapterKind = 'hardware' | 'lavapipe' | 'swiftshader'
/** A kind, or the best there is: hardware, else lavapipe, else SwiftShader. */
export type AdapterChoice = 'auto' | AdapterKind

/** An adapter, and what was tried before it. */
export interface FoundAdapter {
  readonly adapter: GPUAdapter
  readonly kind: AdapterKind
  readonly attempts: readonly AdapterAttempt[]
}

/** Where a platform keeps the tilings measured on its adapters, as text by name. */
export interface TilingStore {
  read(name: string): Promise<string | null>
  write(name: string, text: string): Promise<void>
}

/**
 * What the engine needs of the machine it runs on; Node's is in node/platform.ts, a browser's in
 * browser/platform.ts.
 */
export interface Platform {
  /** @throws AdapterError with every attempt, when there is no adapter of the wanted kind */
  requestAdapter(choice: AdapterChoice): Promise<FoundAdapter>
  /** Every file under shaders/, by its path there: 'conv2d/forward.wgsl' to text. */
  readShaders(): Promise<ReadonlyMap<string, string>>
  /**
   * What implements WebGPU here, with its version: tilings measured under another are measured
   * anew.
   */
  readonly runtime?: string
  /** Where tilings are kept; without one they are lost with the engine. */
  readonly tilingStore?: TilingStore
  /**
   * Bytes that buffers on such an adapter may still take: the machine's free memory where the CPU
   * computes. Null, or no function at all, where nobody says.
   */
  freeBytes?(kind: AdapterKind): number | null
  /** How many threads run at a time. Default 1. */
  readonly cores?: number
  /** Leaves the processor to an adapter that computes on it, until `work` settles. */
  rest?(work: Promise<unknown>): void
}

/**
 * Which kind an adapter is, by what its driver says of itself; null for a CPU that is neither of
 * the two known ones.
 */
export function adapterKind({ info }: GPUAdapter): AdapterKind | null {
  const words =
    `${info.description} ${info.device} ${info.architecture} ${info.vendor}`.toLowerCase()
  if (words.includes('llvmpipe') || words.includes('lavapipe')) return 'lavapipe'
  if (words.includes('swiftshader')) return 'swiftshader'
  return info.isFallbackAdapter ? null : 'hardware'
}
