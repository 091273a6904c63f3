import type { Bindings } from './kernels/bindGroups.ts'
import type { Constants, Kernel, Params } from './kernels/kernel.ts'
import type { Storage } from './memory/pool.ts'
import type { ReadItem } from './memory/readbacks.ts'
import type { Recorder } from './recorder.ts'

/** Values for a buffer. */
export type BufferData = Float32Array | Int32Array | Uint32Array | Uint8Array

/**
 * What becomes of the work that `Gpu` is given: a `DeviceExecution` carries it out, a
 * `RehearsalExecution` only plans it.
 */
export interface Execution {
  /** Records every launch; null while nothing is recorded. */
  readonly recorder: Recorder | null
  /**
   * A buffer, its contents undefined, held once by the caller.
   * @param layer the layer that asks for it
   */
  allocate(bytes: number, layer: string | null): Storage
  /** A buffer that no encoded work uses, so that it can be written without a submit. */
  allocateIdle(bytes: number, layer: string | null): Storage
  /** Overwrites a buffer; submits encoded work that uses it first. */
  write(storage: Storage, data: BufferData): void
  /** @param constants every constant that the kernel is compiled with */
  launch(
    kernel: Kernel,
    constants: Constants,
    bindings: Bindings,
    params: Params,
    layer: string | null,
  ): void
  /** Encodes copies of buffers for JavaScript. Call the result after the submit. */
  readLater(items: readonly ReadItem[]): () => Promise<ArrayBuffer[]>
  /** Hands the encoded work to the device. */
  submit(): void
}
