import { DeviceLostError, type GraftError, KernelError, UsageError } from '../base/errors.ts'
import type { AdapterKind, Host } from '../host/host.ts'
import { BindGroups, type Bindings } from './kernels/bindGroups.ts'
import { type Constants, type Kernel, maxGroups, type Params } from './kernels/kernel.ts'
import { type Launch, launchError } from './kernels/launchError.ts'
import { makeReady } from './kernels/makeReady.ts'
import { PipelineCache } from './kernels/pipelines.ts'
import { subgroupIsWorkgroup } from './kernels/subgroup.ts'
import { type BindingLimits, bindingLimits, deviceDescriptor } from './limits.ts'
import type { Layout, Rehearsal } from './memory/layout.ts'
import { ParamsRing } from './memory/paramsRing.ts'
import {
  BufferPool,
  createStorageBuffer,
  type MemoryReport,
  outOfMemory,
  type Storage,
} from './memory/pool.ts'
import { Readbacks, type ReadItem } from './memory/readbacks.ts'
import type { Recorder } from './recorder.ts'
import { openTilingSelector } from './tiling/tilingCache.ts'
import type { TilingSelector } from './tiling/tilingSelector.ts'
import { Timer } from './timer.ts'

/**
 * A device with everything that stands between an operator and WebGPU. Work is encoded into one
 * command encoder and one pass, and submitted once, by `submit` or by a read-back. Knows no
 * tensors.
 */
export class Gpu {
  readonly device: GPUDevice
  readonly kind: AdapterKind
  /** What one binding may hold; larger tensors are bound in parts. */
  readonly bindingLimits: BindingLimits
  /** The layer that is computing; errors name it. */
  layer: string | null = null
  /** Who notes every launch; null while nobody does. */
  recorder: Recorder | null = null
  readonly #platform: Host
  readonly #pool: BufferPool
  readonly #pipelines: PipelineCache
  readonly #groups: BindGroups
  readonly #params: ParamsRing
  readonly #readbacks: Readbacks
  /** Waits for the device; where the CPU is the device, without keeping it busy. */
  readonly wait: <T>(work: Promise<T>) => Promise<T>
  #timer: Timer | null = null
  readonly #pending: Promise<GraftError | null>[] = []
  /** What the `settle` in progress will find: one that begins before it ends finds it too. */
  #settling: Promise<GraftError | null> | null = null
  #encoder: GPUCommandEncoder | null = null
  #pass: GPUComputePassEncoder | null = null
  #serial = 0
  #submits = 0
  #launches: Launch[] = []
  #rehearsal: {
    readonly kernels: [Kernel, Constants][]
    readonly pool: BufferPool
    open: boolean
  } | null = null
  #scratch: Storage[] | null = null
  #tilings: TilingSelector | null = null
  #failure: GraftError | null = null
  #lost: DeviceLostError | null = null
  #disposed = false

  private constructor(
    device: GPUDevice,
    kind: AdapterKind,
    platform: Host,
    shaders: ReadonlyMap<string, string>,
    maxBindingBytes?: number,
  ) {
    this.device = device
    this.kind = kind
    this.#platform = platform
    this.wait = (work) => {
      if (kind !== 'hardware') platform.rest?.(work)
      return work
    }
    this.bindingLimits = bindingLimits(device.limits, maxBindingBytes)
    this.#groups = new BindGroups(device, this.bindingLimits)
    this.#pool = new BufferPool((size) => this.#createBuffer(size), device.limits.maxBufferSize)
    this.#pool.onDestroy = () => this.#groups.clear()
    this.#pipelines = new PipelineCache(device, shaders, (scope) => this.#pending.push(scope))
    this.#readbacks = new Readbacks(device, () => this.submit())
    this.#params = new ParamsRing(device, this.#pipelines.paramsLayout)
    device.addEventListener('uncapturederror', (event) => {
      this.#failure ??= launchError(
        (event as GPUUncapturedErrorEvent).error.message,
        this.#launches,
      )
    })
    void device.lost.then((info) => {
      this.#lost ??= new DeviceLostError(
        this.#disposed
          ? 'the engine was disposed: create a new one'
          : `the GPU device was lost (${info.message || info.reason}): create a new engine and load the last checkpoint`,
        { reason: info.message || info.reason },
      )
    })
  }

  /**
   * Opens a device with the highest limits and every useful feature its adapter offers.
   * @param options.plain run only the plain kernels: slow, and the check of the fast ones
   * @param options.maxBindingBytes bind less at once than the adapter could
   */
  static async open(
    platform: Host,
    adapter: GPUAdapter,
    kind: AdapterKind,
    {
      plain = false,
      maxBindingBytes,
    }: { readonly plain?: boolean; readonly maxBindingBytes?: number | undefined } = {},
  ): Promise<Gpu> {
    const [device, shaders] = await Promise.all([
      adapter.requestDevice(deviceDescriptor(adapter)),
      platform.readShaders(),
    ])
    const gpu = new Gpu(device, kind, platform, shaders, maxBindingBytes)
    const lanes = adapter.info.subgroupMinSize
    const reliable =
      !plain && device.features.has('subgroups') && lanes && (await subgroupIsWorkgroup(gpu, lanes))
    if (!plain)
      gpu.#tilings = await openTilingSelector(
        platform,
        adapter,
        kind,
        reliable ? lanes : null,
        shaders,
      )
    return gpu
  }

  /** The tilings of matrix products and convolutions, or null where only the plain kernels run. */
  get tilings(): TilingSelector | null {
    return this.#tilings
  }

  /** Bytes and buffers held by tensors, and the most ever allocated. */
  memory(): MemoryReport {
    return this.#pool.report()
  }

  /** How many times work was handed to the device. */
  get submits(): number {
    return this.#submits
  }

  /**
   * A buffer for `bytes` bytes, its contents undefined, held once by the caller.
   * @throws ShapeError where it is larger than a buffer of this adapter may be
   */
  allocate(bytes: number): Storage {
    this.#alive()
    return this.#memory.take(bytes, this.layer)
  }

  /** A buffer that lives until the end of the enclosing `withScratch`. */
  scratch(bytes: number): Storage {
    if (!this.#scratch) throw new Error('scratch memory is taken inside withScratch')
    const storage = this.allocate(bytes)
    this.#scratch.push(storage)
    return storage
  }

  /** Runs `body`, then gives back the scratch memory it took. */
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
  upload(data: Float32Array | Int32Array | Uint32Array | Uint8Array): Storage {
    this.#alive()
    const storage = this.#memory.take(
      data.byteLength,
      this.layer,
      this.#busy ? this.#serial : undefined,
    )
    this.write(storage, data)
    return storage
  }

  /**
   * Overwrites a buffer. Commands already encoded that use it are submitted first, so they see the
   * old contents.
   */
  write(storage: Storage, data: Float32Array | Int32Array | Uint32Array | Uint8Array): void {
    this.#alive()
    if (this.#busy && storage.usedIn === this.#serial) this.submit()
    if (this.#rehearsal) return
    const whole = data.byteLength % 4 === 0
    const bytes = whole ? data : new Uint8Array(Math.ceil(data.byteLength / 4) * 4)
    if (!whole)
      (bytes as Uint8Array).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    if (data.byteLength > 0)
      this.device.queue.writeBuffer(
        storage.buffer,
        0,
        bytes.buffer as ArrayBuffer,
        bytes.byteOffset,
        bytes.byteLength,
      )
  }

  /**
   * The one dispatch point: launches a kernel.
   * @param bindings a storage, or part of one, for each of the shader's bindings, by name
   * @param params a number for each field of the shader's Params
   * @param constants numbers the kernel is compiled with, over the kernel's own
   * @throws GraftError where names do not match the shader, or the grid is larger than a device
   * takes
   * @throws ShapeError where a storage is larger than one binding
   */
  run(kernel: Kernel, bindings: Bindings, params: Params, constants?: Constants): void {
    this.#alive()
    const merged = { ...kernel.constants, ...kernel.onAdapter?.(this.kind), ...constants }
    if (this.#params.full) this.submit()
    this.#groups.use(kernel.name, bindings, this.#serial)
    if (this.#rehearsal) {
      this.#rehearsal.kernels.push([kernel, merged])
      this.#rehearsal.open = true
      return
    }
    const compiled = this.#pipelines.get(kernel, merged, this.layer)
    const [x, y, z] = kernel.grid(params, merged)
    if (Math.max(x, y, z) > maxGroups)
      throw new KernelError(
        kernel.name,
        this.layer,
        `a grid of ${x} x ${y} x ${z} workgroups is too large`,
      )
    if (x * y * z === 0) return
    const group = this.#groups.get(compiled, bindings, this.layer)
    if (this.recorder)
      this.#pass = this.recorder.launch(
        this.#encoding(),
        this.#pass,
        kernel,
        compiled,
        bindings,
        params,
        [x, y, z],
      )
    this.#pass ??= this.#encoding().beginComputePass()
    const pass = this.#pass
    const offset = this.#params.write(kernel.name, compiled.source.interface.params, params)
    pass.setPipeline(compiled.pipeline)
    pass.setBindGroup(0, group)
    pass.setBindGroup(1, this.#params.group, [offset])
    pass.dispatchWorkgroups(x, y, z)
    this.#launches.push({ kernel: kernel.name, layer: this.layer })
  }

  /**
   * Goes through `body` without a device: nothing is allocated, written, launched or read back.
   * What is made in a rehearsal is gone after it; `actual` is for what has to stay.
   * @param layout how memory is laid out meanwhile
   * @throws ShapeError where it would bind or allocate more at once than the adapter allows
   */
  rehearse(body: () => void, layout: Layout | null = null): Rehearsal {
    this.#alive()
    this.submit()
    const rehearsal = { kernels: [], pool: this.#pool.rehearsal(layout), open: false }
    this.#rehearsal = rehearsal
    const { recorder } = this
    this.recorder = null // what a rehearsal goes through does not run, and is no omission either
    try {
      body()
      this.submit()
      return {
        kernels: rehearsal.kernels,
        peakBytes: rehearsal.pool.report().peakBytes,
        layout: rehearsal.pool.layout(),
      }
    } finally {
      this.#rehearsal = null
      this.recorder = recorder
    }
  }

  /**
   * Runs `body` for real, also in the midst of a rehearsal: a parameter's first values are made
   * once and kept.
   */
  actual<T>(body: () => T): T {
    const rehearsal = this.#rehearsal
    this.#rehearsal = null
    try {
      return body()
    } finally {
      this.#rehearsal = rehearsal
    }
  }

  /**
   * Makes ready for what `body` does: compiles the kernels that it would launch, side by side,
   * without launching any, and lays out the memory that it takes between two submits, so that
   * whatever is not held at the same time shares it. Free buffers are destroyed.
   * @param onProgress told how many are compiled, out of how many are missing
   * @throws KernelError for one that does not compile
   */
  async prepare(
    body: () => void,
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    const { kernels, layout } = this.rehearse(body)
    this.trim()
    this.#pool.adopt(layout)
    const { device, kind } = this
    const [pipelines, platform] = [this.#pipelines, this.#platform]
    await this.wait(
      makeReady(pipelines.missing(kernels), { device, kind, pipelines, platform }, onProgress),
    )
  }

  /**
   * Hands everything encoded so far to the device. Errors arrive at the next `settle` or read-back.
   */
  submit(): void {
    if (this.#rehearsal) {
      if (this.#rehearsal.open) this.#serial++
      this.#rehearsal.open = false
      this.#rehearsal.pool.submitted()
    }
    const encoder = this.#encoder
    if (!encoder) return
    this.#pass?.end()
    this.recorder?.submitting(encoder)
    this.#params.flush()
    const launches = this.#launches
    this.device.pushErrorScope('validation')
    this.device.queue.submit([encoder.finish()])
    const scope = this.device.popErrorScope()
    this.#pending.push(scope.then((error) => (error ? launchError(error.message, launches) : null)))
    this.#encoder = null
    this.#pass = null
    this.#launches = []
    this.#pool.submitted()
    this.#readbacks.submitted()
    this.#serial++
    this.#submits++
  }

  /**
   * Copies buffers back to the host, in one submit with the work encoded before it. The buffers may
   * be freed or reused at once.
   * @param items each buffer with the number of bytes wanted
   * @throws any error that work submitted until now met
   */
  read(items: readonly ReadItem[]): Promise<ArrayBuffer[]> {
    const collect = this.readLater(items)
    this.submit()
    return collect()
  }

  /**
   * Encodes copies of buffers as they are at this point of the work, and submits nothing. Call the
   * result after a `submit` to wait for the copies; it does not stall what is submitted in the
   * meantime. What is small comes back together: several steps' results cost one wait where nobody
   * asks for the first before the last is submitted.
   */
  readLater(items: readonly ReadItem[]): () => Promise<ArrayBuffer[]> {
    this.#alive()
    for (const { storage } of items) storage.usedIn = this.#serial
    if (this.#rehearsal) return async () => []
    this.#endPass()
    const collect = this.#readbacks.copy(this.#encoding(), items)
    return async () => {
      await this.settle()
      return this.wait(collect()).catch((cause: unknown) => {
        throw (
          this.#lost ??
          this.#failure ??
          new DeviceLostError('reading back from the GPU failed: create a new engine', { cause })
        )
      })
    }
  }

  /**
   * The GPU time of what `body` launches, in milliseconds, by timestamps at both ends of one pass.
   * What was encoded before is submitted first. Browsers round timestamps to 0.1 ms.
   * @throws UsageError where the adapter has no timestamps, while recording, or where `body` reads
   * back or submits
   */
  async time(body: () => void): Promise<number> {
    if (!this.device.features.has('timestamp-query'))
      throw new UsageError('this adapter has no timestamps: it lacks the feature timestamp-query')
    if (this.recorder)
      throw new UsageError('a recording is under way, which times every launch: finish() it first')
    this.submit()
    this.#timer ??= new Timer(this.device)
    const timer = this.#timer
    const encoder = this.#encoding()
    const pass = encoder.beginComputePass({ timestampWrites: timer.writes })
    this.#pass = pass
    body()
    if (this.#pass !== pass)
      throw new UsageError('the timed work was submitted in parts: time less of it at once')
    this.#endPass()
    const collect = timer.resolve(encoder)
    this.submit()
    await this.settle()
    return this.wait(collect())
  }

  /** Waits until every error of work handed over so far is known; throws the first. */
  async settle(): Promise<void> {
    const [earlier, fresh] = [this.#settling, Promise.all(this.#pending.splice(0))]
    const settling = fresh.then(
      async (errors) => (await earlier) ?? errors.find((one) => one !== null) ?? null,
    )
    this.#settling = settling
    const found = await settling
    if (this.#settling === settling) this.#settling = null
    const error = this.#lost ?? found ?? this.#failure
    this.#failure = null
    if (error) throw error
  }

  /** Destroys the buffers that nobody holds, after handing over what is encoded. */
  trim(): void {
    this.submit()
    this.#pool.trim()
  }

  /**
   * Why the device is gone, other than by `dispose()`; null while it works. The device's own notice
   * may come after the first failure.
   */
  get lost(): DeviceLostError | null {
    return this.#disposed ? null : this.#lost
  }

  /** Frees everything. The process can then exit. */
  dispose(): void {
    this.#disposed = true
    this.#encoder = null
    this.#pass = null
    this.device.destroy()
  }

  get #memory(): BufferPool {
    return this.#rehearsal?.pool ?? this.#pool
  }

  /** Whether work is encoded that is not submitted. */
  get #busy(): boolean {
    return this.#rehearsal ? this.#rehearsal.open : this.#encoder !== null
  }

  #createBuffer(size: number): GPUBuffer {
    const { buffer, scope } = createStorageBuffer(this.device, size)
    this.#pending.push(
      scope.then((error) => (error ? outOfMemory(size, this.#pool.report(), error) : null)),
    )
    return buffer
  }

  #alive(): void {
    if (this.#disposed) throw new DeviceLostError('the engine was disposed: create a new one')
    if (this.#lost) throw this.#lost
  }

  #encoding(): GPUCommandEncoder {
    this.#encoder ??= this.device.createCommandEncoder()
    return this.#encoder
  }

  #endPass(): void {
    this.#pass?.end()
    this.#pass = null
  }
}
