import { at } from '../base/at.ts'
import { KernelError, UsageError } from '../base/errors.ts'
import type { DeviceErrors } from './deviceErrors.ts'
import type { BufferData, Execution } from './execution.ts'
import { BindGroups, type Bindings, useBindings } from './kernels/bindGroups.ts'
import { type Constants, type Kernel, maxGroups, type Params } from './kernels/kernel.ts'
import { type Launch, launchError } from './kernels/launchError.ts'
import { PipelineCache } from './kernels/pipelines.ts'
import type { BindingLimits } from './limits.ts'
import { ParamsRing } from './memory/paramsRing.ts'
import { BufferPool, createStorageBuffer, outOfMemory, type Storage } from './memory/pool.ts'
import { Readbacks, type ReadItem } from './memory/readbacks.ts'
import type { Recorder } from './recorder.ts'
import { readTimestamps, timestampWrites } from './timestamps.ts'

/**
 * Carries work out on a device. Launches are encoded into one command encoder and one compute pass,
 * and go to the device together at the next submit.
 */
export class DeviceExecution implements Execution {
  readonly limits: BindingLimits
  readonly pool: BufferPool
  readonly pipelines: PipelineCache
  recorder: Recorder | null = null
  /** The number of the present command encoder. Storages note the newest one that uses them. */
  serial = 0
  /** How many times work was submitted. */
  submits = 0
  readonly #device: GPUDevice
  readonly #errors: DeviceErrors
  readonly #wait: <T>(work: Promise<T>) => Promise<T>
  readonly #groups: BindGroups
  readonly #params: ParamsRing
  readonly #readbacks: Readbacks
  #encoder: GPUCommandEncoder | null = null
  #pass: GPUComputePassEncoder | null = null
  /** What the present encoder launches, for messages. */
  #encoded: Launch[] = []
  #timer: GPUQuerySet | null = null

  /** @param wait awaits a promise of the device */
  constructor(
    device: GPUDevice,
    limits: BindingLimits,
    shaders: ReadonlyMap<string, string>,
    errors: DeviceErrors,
    wait: <T>(work: Promise<T>) => Promise<T>,
  ) {
    this.#device = device
    this.limits = limits
    this.#errors = errors
    this.#wait = wait
    this.#groups = new BindGroups(device)
    this.pool = new BufferPool((size) => this.#createBuffer(size), device.limits.maxBufferSize)
    this.pool.onDestroy = () => this.#groups.clear()
    this.pipelines = new PipelineCache(device, shaders, (error) => errors.add(error))
    this.#readbacks = new Readbacks(device, () => this.submit())
    this.#params = new ParamsRing(device, this.pipelines.paramsLayout)
    device.addEventListener('uncapturederror', (event) => {
      const { error } = event as GPUUncapturedErrorEvent
      errors.addUncaptured(launchError(error.message, this.#encoded))
    })
  }

  allocate(bytes: number, layer: string | null): Storage {
    return this.pool.take(bytes, layer)
  }

  allocateIdle(bytes: number, layer: string | null): Storage {
    return this.pool.take(bytes, layer, this.#encoder ? this.serial : undefined)
  }

  write(storage: Storage, data: BufferData): void {
    if (this.#encoder && storage.usedIn === this.serial) this.submit()
    if (data.byteLength === 0) return
    const { buffer, byteOffset, byteLength } = wholeWords(data)
    const source = buffer as ArrayBuffer
    this.#device.queue.writeBuffer(storage.buffer, 0, source, byteOffset, byteLength)
  }

  launch(
    kernel: Kernel,
    constants: Constants,
    bindings: Bindings,
    params: Params,
    layer: string | null,
  ): void {
    if (this.#params.full) this.submit()
    useBindings(this.limits, kernel.name, bindings, this.serial)
    const compiled = this.pipelines.get(kernel, constants, layer)
    const grid = kernel.grid(params, constants)
    const [x, y, z] = grid
    if (Math.max(x, y, z) > maxGroups)
      throw new KernelError(
        kernel.name,
        layer,
        `a grid of ${x} x ${y} x ${z} workgroups is too large`,
      )
    if (x * y * z === 0) return
    const group = this.#groups.get(compiled, bindings, layer)
    if (this.recorder) {
      this.#endPass() // each recorded launch has a pass of its own
      this.#pass = this.#encoding().beginComputePass(
        this.recorder.launch(kernel, compiled, bindings, params, grid),
      )
    }
    this.#pass ??= this.#encoding().beginComputePass()
    const pass = this.#pass
    const offset = this.#params.write(kernel.name, compiled.source.interface.params, params)
    pass.setPipeline(compiled.pipeline)
    pass.setBindGroup(0, group)
    pass.setBindGroup(1, this.#params.group, [offset])
    pass.dispatchWorkgroups(x, y, z)
    this.#encoded.push({ kernel: kernel.name, layer })
  }

  readLater(items: readonly ReadItem[]): () => Promise<ArrayBuffer[]> {
    for (const { storage } of items) storage.usedIn = this.serial
    this.#endPass()
    const collect = this.#readbacks.copy(this.#encoding(), items)
    return async () => {
      await this.#errors.settle()
      return this.#wait(collect()).catch((cause: unknown) => {
        throw this.#errors.ofReadback(cause)
      })
    }
  }

  submit(): void {
    const encoder = this.#encoder
    if (!encoder) return
    this.#endPass()
    this.recorder?.submitting(encoder)
    this.#params.flush()
    const launches = this.#encoded
    this.#device.pushErrorScope('validation')
    this.#device.queue.submit([encoder.finish()])
    const scope = this.#device.popErrorScope()
    this.#errors.add(scope.then((error) => (error ? launchError(error.message, launches) : null)))
    this.#encoder = null
    this.#encoded = []
    this.pool.submitted()
    this.#readbacks.submitted()
    this.serial++
    this.submits++
  }

  /** The GPU time of what `body` launches, in milliseconds. See `Gpu.time`. */
  async time(body: () => void): Promise<number> {
    if (!this.#device.features.has('timestamp-query'))
      throw new UsageError('this adapter has no timestamps: it lacks the feature timestamp-query')
    if (this.recorder)
      throw new UsageError('a recording is under way, which times every launch: finish() it first')
    this.submit()
    this.#timer ??= this.#device.createQuerySet({ label: 'timer', type: 'timestamp', count: 2 })
    const encoder = this.#encoding()
    const pass = encoder.beginComputePass({ timestampWrites: timestampWrites(this.#timer, 0) })
    this.#pass = pass
    body()
    if (this.#pass !== pass)
      throw new UsageError('the timed work was submitted in parts: time less of it at once')
    this.#endPass()
    const collect = readTimestamps(this.#device, encoder, this.#timer, 2)
    this.submit()
    await this.#errors.settle()
    const times = await this.#wait(collect())
    return Number(at(times, 1) - at(times, 0)) / 1e6
  }

  /** Drops what is encoded: the device is about to be destroyed. */
  dispose(): void {
    this.#encoder = null
    this.#pass = null
  }

  #createBuffer(size: number): GPUBuffer {
    const { buffer, scope } = createStorageBuffer(this.#device, size)
    this.#errors.add(
      scope.then((error) => (error ? outOfMemory(size, this.pool.report(), error) : null)),
    )
    return buffer
  }

  #encoding(): GPUCommandEncoder {
    this.#encoder ??= this.#device.createCommandEncoder()
    return this.#encoder
  }

  #endPass(): void {
    this.#pass?.end()
    this.#pass = null
  }
}

/** The same bytes, followed by zeros up to a multiple of four: what WebGPU can write. */
function wholeWords(data: BufferData): BufferData {
  if (data.byteLength % 4 === 0) return data
  const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4)
  padded.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return padded
}
