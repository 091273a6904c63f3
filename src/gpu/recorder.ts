import { at } from '../base/at.ts'
import { UsageError } from '../base/errors.ts'
import type { Bindings } from './kernels/bindGroups.ts'
import { type Grid, type Kernel, overridesOf, type Params } from './kernels/kernel.ts'
import type { CompiledKernel } from './kernels/pipelines.ts'
import type { Storage } from './memory/pool.ts'
import type { ReadItem } from './memory/readbacks.ts'
import { type Bindable, storageOf } from './memory/windows.ts'
import {
  gradientName,
  type Omission,
  type RecordedBinding,
  type RecordedCall,
  type RecordedDispatch,
  type Recording,
} from './recording.ts'
import { readTimestamps, timestampWrites } from './timestamps.ts'

/** A shape over a buffer: what a recording needs to know of a tensor. */
export interface ShapedStorage {
  readonly storage: Storage
  readonly shape: readonly number[]
}

/** Tensors by name; null where there is none. */
type Named = Readonly<Record<string, ShapedStorage | null>>

/** What a recorder needs of the device that it records: `Gpu` is one. */
export interface RecordedDevice {
  readonly device: GPUDevice
  readonly layer: string | null
  recorder: Recorder | null
  submit(): void
  settle(): Promise<void>
  readLater(items: readonly ReadItem[]): () => Promise<ArrayBuffer[]>
  readonly wait: <T>(work: Promise<T>) => Promise<T>
}

/** A dispatch before its times are known. */
interface UntimedDispatch extends Omit<RecordedDispatch, 'pass' | 'begin' | 'milliseconds'> {
  pass: string | null
  /** Which submit it went with, and which pair of that submit's timestamps is its own. */
  readonly batch: number
  readonly pair: number
}

/** A call that has begun and not ended. */
interface OpenCall extends Pick<RecordedCall, 'operator' | 'pass' | 'attrs' | 'first'> {}

/** A call whose tensors' values are not read yet. */
interface UnreadCall extends Omit<RecordedCall, 'tensors'> {
  readonly tensors: readonly UnreadTensor[]
}

interface UnreadTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly buffer: number
  /** Null where the recording keeps no values. */
  readonly read: (() => Promise<ArrayBuffer[]>) | null
}

/** Pairs of timestamps in a query set: WebGPU allows 4,096 queries. */
const pairs = 2048

/**
 * Records every launch of a device. Each gets a compute pass of its own, since WebGPU writes
 * timestamps at the ends of passes. Made by `engine.record()`.
 * @example
 * const recorder = engine.record()
 * model.forward(x)
 * const { dispatches } = await recorder.finish()
 */
export class Recorder {
  readonly #gpu: RecordedDevice
  readonly #keepValues: boolean
  readonly #dispatches: UntimedDispatch[] = []
  readonly #calls: UnreadCall[] = []
  readonly #omissions: Omission[] = []
  /** The shape in which each buffer is used at present. */
  readonly #shapes = new Map<number, readonly number[]>()
  /** Reads the timestamps of each submit. */
  readonly #times: (() => Promise<BigUint64Array>)[] = []
  readonly #queries: GPUQuerySet | null
  #open: OpenCall | null = null
  /** Pairs of timestamps that the work not yet submitted writes. */
  #usedPairs = 0

  /**
   * @throws UsageError where the device is being recorded already
   * @internal
   */
  constructor(gpu: RecordedDevice, options: { readonly values?: boolean } = {}) {
    if (gpu.recorder)
      throw new UsageError('the engine is being recorded already: finish() that recording first')
    this.#gpu = gpu
    this.#keepValues = options.values ?? false
    const timed = gpu.device.features.has('timestamp-query')
    this.#queries = timed
      ? gpu.device.createQuerySet({ label: 'recorder', type: 'timestamp', count: 2 * pairs })
      : null
    gpu.submit()
    gpu.recorder = this
  }

  /**
   * Notes the shape in which a buffer is used from here on.
   * @internal
   */
  shape({ storage, shape }: ShapedStorage): void {
    this.#shapes.set(storage.id, shape)
  }

  /**
   * Begins a call of an operator; `leave` ends it.
   * @internal
   */
  enter(
    operator: string,
    pass: RecordedCall['pass'],
    tensors: readonly (ShapedStorage | null)[],
    attrs: unknown = {},
  ): void {
    for (const tensor of tensors) if (tensor) this.shape(tensor)
    this.#open = { operator, pass, attrs, first: this.#dispatches.length }
  }

  /**
   * Ends the call.
   * @param tensors what it computed, and whatever else is worth keeping
   * @param gradients what a backward call computed, by the input whose gradient it is: each of its
   * launches is named after the gradients that its results contribute to
   * @internal
   */
  leave(tensors: Named, gradients: Named = {}): void {
    const call = this.#open
    if (!call) return
    this.#open = null
    this.#namePasses(call.first, gradients)
    const named = [
      ...Object.entries(tensors),
      ...Object.entries(gradients).map(([name, tensor]) => [`d${name}`, tensor] as const),
    ]
    this.#calls.push({
      ...call,
      layer: this.#gpu.layer,
      end: this.#dispatches.length,
      tensors: named.flatMap(([name, tensor]) => (tensor ? [this.#unread(name, tensor)] : [])),
    })
  }

  /**
   * Notes work that is not done.
   * @internal
   */
  omit(what: string, why: string, layer = this.#gpu.layer): void {
    this.#omissions.push({ layer, what, why })
  }

  /**
   * Notes a launch, and gives the compute pass that it needs. Called for every launch.
   * @internal
   */
  launch(
    kernel: Kernel,
    compiled: CompiledKernel,
    bindings: Bindings,
    params: Params,
    workgroups: Grid,
  ): GPUComputePassDescriptor {
    const { source, constants } = compiled
    const workgroup = source.interface.workgroup.map(
      (extent) => Number.parseInt(extent, 10) || constants[extent] || 1,
    )
    const [wx = 1, wy = 1, wz = 1] = workgroup // extents left out are 1, as in WGSL
    const threads = wx * wy * wz * workgroups[0] * workgroups[1] * workgroups[2]
    const busy = kernel.threads?.(params, constants)
    const pair = this.#usedPairs++
    this.#dispatches.push({
      index: this.#dispatches.length,
      operator: this.#open?.operator ?? kernel.name.replace(/\/.*/, ''),
      layer: this.#gpu.layer,
      pass: this.#open?.pass ?? null,
      kernel: `${kernel.name}.wgsl`,
      entryPoint: 'main',
      source,
      constants,
      overrides: overridesOf(compiled),
      params,
      bindings: source.interface.bindings.map(({ name, binding, writable }) => {
        const bound = bindings[name] as Bindable // checked when the launch was encoded
        return { name, binding, writable, ...this.#place(bound) }
      }),
      workgroup: [wx, wy, wz],
      workgroups,
      threads,
      idle: busy === undefined ? null : threads - busy,
      cost: kernel.cost?.(params, constants) ?? null,
      compileMilliseconds: compiled.compileMilliseconds,
      batch: this.#times.length,
      pair,
    })
    return {
      label: kernel.name,
      ...(this.#queries ? { timestampWrites: timestampWrites(this.#queries, pair) } : {}),
    }
  }

  /**
   * Encodes the reading of this submit's timestamps. Called before every submit.
   * @internal
   */
  submitting(encoder: GPUCommandEncoder): void {
    const count = 2 * this.#usedPairs
    this.#usedPairs = 0
    this.#times.push(
      this.#queries && count > 0
        ? readTimestamps(this.#gpu.device, encoder, this.#queries, count)
        : async () => new BigUint64Array(0),
    )
  }

  /**
   * Ends the recording, submits what is encoded, and reads the times.
   * @throws any error of the recorded work
   */
  async finish(): Promise<Recording> {
    const gpu = this.#gpu
    gpu.submit()
    if (gpu.recorder === this) gpu.recorder = null
    await gpu.settle()
    const times = await gpu.wait(Promise.all(this.#times.map((read) => read())))
    this.#queries?.destroy()
    const omissions = this.#omissions
    const calls = await Promise.all(this.#calls.map(readCall))
    const first = times.find((batch) => batch.length > 0)?.[0]
    if (first === undefined) {
      const dispatches = this.#dispatches.map(
        ({ batch, pair, ...rest }): RecordedDispatch => ({
          ...rest,
          begin: null,
          milliseconds: null,
        }),
      )
      return { dispatches, calls, omissions, milliseconds: dispatches.length === 0 ? 0 : null }
    }
    const dispatches = this.#dispatches.map(({ batch, pair, ...rest }) => {
      const [begin, end] = [at(at(times, batch), 2 * pair), at(at(times, batch), 2 * pair + 1)]
      return {
        ...rest,
        begin: Number(begin - first) / 1e6,
        milliseconds: Number(end - begin) / 1e6,
      }
    })
    const milliseconds = dispatches.reduce((sum, one) => sum + one.milliseconds, 0)
    return { dispatches, calls, omissions, milliseconds }
  }

  #place(bound: Bindable): Pick<RecordedBinding, 'buffer' | 'shape' | 'offset' | 'bytes'> {
    const { id } = storageOf(bound)
    const whole = !('offset' in bound)
    return {
      buffer: id,
      shape: whole ? (this.#shapes.get(id) ?? null) : null,
      offset: whole ? 0 : bound.offset,
      bytes: bound.bytes,
    }
  }

  #unread(name: string, { storage, shape }: ShapedStorage): UnreadTensor {
    const bytes = 4 * shape.reduce((product, extent) => product * extent, 1)
    return {
      name,
      shape,
      buffer: storage.id,
      read: this.#keepValues ? this.#gpu.readLater([{ storage, bytes }]) : null,
    }
  }

  /** Names each dispatch's pass after the gradients its results contribute to, from `first` on. */
  #namePasses(first: number, gradients: Named): void {
    const contributes = new Map<number, Set<string>>()
    for (const [name, tensor] of Object.entries(gradients))
      if (tensor) contributes.set(tensor.storage.id, new Set([gradientName(name)]))
    for (const dispatch of this.#dispatches.slice(first).reverse()) {
      const names = new Set<string>()
      for (const { buffer, writable } of dispatch.bindings)
        if (writable) for (const name of contributes.get(buffer) ?? []) names.add(name)
      if (names.size === 0) continue
      dispatch.pass = [...names].join(', ')
      for (const { buffer } of dispatch.bindings)
        contributes.set(buffer, new Set([...(contributes.get(buffer) ?? []), ...names]))
    }
  }
}

async function readCall({ tensors, ...call }: UnreadCall): Promise<RecordedCall> {
  const entries = await Promise.all(
    tensors.map(async ({ name, read, ...place }) => {
      const values = read ? new Float32Array(at(await read(), 0)) : null
      return [name, { ...place, values }] as const
    }),
  )
  return { ...call, tensors: Object.fromEntries(entries) }
}
