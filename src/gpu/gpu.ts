/**
 * The gpu room: everything between an operator and WebGPU. It knows buffers and kernels, but no
 * tensors. A map:
 *
 *     gpu.ts                   what operators call: memory, run(), submit(), read()
 *     openGpu.ts               opens a device for it
 *     execution.ts             what is done with the work: deviceExecution.ts does it,
 *                              rehearsalExecution.ts only plans it
 *     deviceErrors.ts          errors that a device reports after the call that caused them
 *     recorder.ts              notes every launch, into what recording.ts declares
 *     limits.ts, timestamps.ts which limits a device is asked for; GPU times
 *     memory/                  storages and their pool, the layout of a training step's memory,
 *                              params, read-backs, tensors bound in parts
 *     kernels/                 a WGSL file as a kernel: expansion, pipelines, bind groups, warm-up
 *     tiling/                  which tile sizes a matrix product or a convolution runs with
 */
import type { DeviceLostError } from '../base/errors.ts'
import type { AdapterKind, Host } from '../host/host.ts'
import { DeviceErrors } from './deviceErrors.ts'
import { DeviceExecution } from './deviceExecution.ts'
import type { BufferData, Execution } from './execution.ts'
import type { Bindings } from './kernels/bindGroups.ts'
import type { Constants, Kernel, Params } from './kernels/kernel.ts'
import { compileAndWarmUp } from './kernels/warmUp.ts'
import { type BindingLimits, bindingLimits } from './limits.ts'
import type { Layout } from './memory/layout.ts'
import type { MemoryReport, Storage } from './memory/pool.ts'
import type { ReadItem } from './memory/readbacks.ts'
import type { Recorder } from './recorder.ts'
import { type Rehearsal, RehearsalExecution } from './rehearsalExecution.ts'
import type { TilingSelector } from './tiling/tilingSelector.ts'

/**
 * A device, as operators see it. Launches are encoded in order and go to the device together, at a
 * `submit` or a read-back.
 */
export class Gpu {
  readonly device: GPUDevice
  readonly kind: AdapterKind
  /** How much one binding may hold; larger tensors are bound in parts. */
  readonly bindingLimits: BindingLimits
  /** The layer that is computing; errors name it. */
  layer: string | null = null
  /**
   * Selects the tilings of matrix products and convolutions; null where only the plain kernels run.
   */
  tilings: TilingSelector | null = null
  /** Awaits a promise of the device; where the CPU is the device, without keeping the CPU busy. */
  readonly wait: <T>(work: Promise<T>) => Promise<T>
  readonly #host: Host
  readonly #errors: DeviceErrors
  readonly #real: DeviceExecution
  /** What work goes to: the device, or a rehearsal. */
  #execution: Execution
  #scratch: Storage[] | null = null

  /** Made by `openGpu`. */
  constructor(
    device: GPUDevice,
    kind: AdapterKind,
    host: Host,
    shaders: ReadonlyMap<string, string>,
    maxBindingBytes?: number,
  ) {
    this.device = device
    this.kind = kind
    this.#host = host
    this.wait = (work) => {
      if (kind !== 'hardware') host.rest?.(work)
      return work
    }
    this.bindingLimits = bindingLimits(device.limits, maxBindingBytes)
    this.#errors = new DeviceErrors(device)
    this.#real = new DeviceExecution(device, this.bindingLimits, shaders, this.#errors, this.wait)
    this.#execution = this.#real
  }

  /** Records every launch; null while nothing is recorded, and in a rehearsal. */
  get recorder(): Recorder | null {
    return this.#execution.recorder
  }

  set recorder(recorder: Recorder | null) {
    this.#real.recorder = recorder
  }

  /** Bytes and buffers held by tensors, and the most ever allocated. */
  memory(): MemoryReport {
    return this.#real.pool.report()
  }

  /** How many times work was submitted to the device. */
  get submits(): number {
    return this.#real.submits
  }

  /**
   * A buffer of `bytes` bytes, its contents undefined, held once by the caller.
   * @throws ShapeError where it is larger than a buffer of this adapter may be
   */
  allocate(bytes: number): Storage {
    this.#errors.check()
    return this.#execution.allocate(bytes, this.layer)
  }

  /** A buffer that lives until the end of the enclosing `withScratch`. */
  scratch(bytes: number): Storage {
    if (!this.#scratch) throw new Error('scratch memory is taken inside withScratch')
    const storage = this.allocate(bytes)
    this.#scratch.push(storage)
    return storage
  }

  /** Runs `body`, then releases the scratch memory it took. */
  withScratch<T>(body: () => T): T {
    const outer = this.#scratch
    this.#scratch = []
    try {
      return body()
    } finally {
      for (const storage of this.#scratch) storage.release()
      this.#scratch = outer
    }
  }

  /** A buffer with the given contents, written ahead of everything not yet submitted. */
  upload(data: BufferData): Storage {
    this.#errors.check()
    const storage = this.#execution.allocateIdle(data.byteLength, this.layer)
    this.#execution.write(storage, data)
    return storage
  }

  /**
   * Overwrites a buffer. Encoded commands that use it are submitted first, so they see the old
   * contents.
   */
  write(storage: Storage, data: BufferData): void {
    this.#errors.check()
    this.#execution.write(storage, data)
  }

  /**
   * Launches a kernel. Every dispatch of Graft goes through here.
   * @param bindings a storage, or part of one, for each of the shader's bindings, by name
   * @param params a number for each field of the shader's Params
   * @param constants numbers the kernel is compiled with; they override the kernel's own
   * @throws GraftError where names do not match the shader, or the grid is larger than a device
   * takes
   * @throws ShapeError where a storage is larger than one binding
   */
  run(kernel: Kernel, bindings: Bindings, params: Params, constants?: Constants): void {
    this.#errors.check()
    const merged = { ...kernel.constants, ...kernel.onAdapter?.(this.kind), ...constants }
    this.#execution.launch(kernel, merged, bindings, params, this.layer)
  }

  /**
   * Goes through `body` without a device: nothing is allocated, written, launched or read back.
   * What is made in a rehearsal is gone after it; use `actual` for what must stay.
   * @param layout the layout of memory during the rehearsal
   * @throws ShapeError where it would bind or allocate more at once than the adapter allows
   */
  rehearse(body: () => void, layout: Layout | null = null): Rehearsal {
    this.#errors.check()
    this.submit()
    const rehearsal = new RehearsalExecution(this.#real, layout)
    return this.#with(rehearsal, () => {
      body()
      return rehearsal.finish()
    })
  }

  /**
   * Runs `body` on the device, even in the middle of a rehearsal: a parameter's first values are
   * made once and kept.
   */
  actual<T>(body: () => T): T {
    return this.#with(this.#real, body)
  }

  /**
   * Prepares for what `body` does: compiles the kernels it would launch, side by side and without
   * launching them on data, and lays out the memory it takes between two submits, so that buffers
   * that are not held at the same time share memory. Free buffers are destroyed.
   * @param onProgress called after each kernel with how many are compiled, out of how many
   * @throws KernelError for a kernel that does not compile
   */
  async prepare(
    body: () => void,
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    const { kernels, layout } = this.rehearse(body)
    this.trim()
    const { pool, pipelines } = this.#real
    pool.adopt(layout)
    const { device, kind } = this
    const where = { device, kind, pipelines, host: this.#host }
    await this.wait(compileAndWarmUp(pipelines.missing(kernels), where, onProgress))
  }

  /**
   * Hands everything encoded so far to the device. Errors arrive at the next `settle` or read-back.
   */
  submit(): void {
    this.#execution.submit()
  }

  /**
   * Copies buffers back to JavaScript, in one submit with the work encoded before. The buffers may
   * be released or reused at once.
   * @param items each buffer with the number of bytes wanted
   * @throws any error of the work submitted so far
   */
  read(items: readonly ReadItem[]): Promise<ArrayBuffer[]> {
    const collect = this.readLater(items)
    this.submit()
    return collect()
  }

  /**
   * Encodes copies of buffers as they are at this point of the work, and submits nothing. Call the
   * result after a `submit` to wait for the copies; work submitted in the meantime is not delayed.
   * Small results come back together: those of several steps cost one wait, if the first is asked
   * for after the last is submitted.
   */
  readLater(items: readonly ReadItem[]): () => Promise<ArrayBuffer[]> {
    this.#errors.check()
    return this.#execution.readLater(items)
  }

  /**
   * The GPU time of what `body` launches, in milliseconds, by timestamps at both ends of one pass.
   * What was encoded before is submitted first. Browsers round timestamps to 0.1 ms.
   * @throws UsageError where the adapter has no timestamps, during a recording, and where `body`
   * reads back or submits
   */
  time(body: () => void): Promise<number> {
    return this.#real.time(body)
  }

  /** Waits until every error of the work submitted so far is known, and throws the first. */
  settle(): Promise<void> {
    return this.#errors.settle()
  }

  /** Destroys the buffers that nobody holds, after submitting what is encoded. */
  trim(): void {
    this.submit()
    this.#real.pool.trim()
  }

  /**
   * Why the device is gone, unless by `dispose()`; null while it works. The device itself may
   * report it after the first failure.
   */
  get lost(): DeviceLostError | null {
    return this.#errors.lost
  }

  /** Frees everything. The process can then exit. */
  dispose(): void {
    this.#errors.dispose()
    this.#real.dispose()
    this.device.destroy()
  }

  #with<T>(execution: Execution, body: () => T): T {
    const outer = this.#execution
    this.#execution = execution
    try {
      return body()
    } finally {
      this.#execution = outer
    }
  }
}
