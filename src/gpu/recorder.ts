import { UsageError } from '../base/errors.ts'
import type { Gpu } from './gpu.ts'
import type { Bindings } from './kernels/bindGroups.ts'
import type { Constants, Cost, Grid, Kernel, KernelSource, Params } from './kernels/kernel.ts'
import type { CompiledKernel } from './kernels/pipelines.ts'
import type { Storage } from './memory/pool.ts'
import type { Bindable } from './memory/windows.ts'

type Shape = readonly number[]

/** A shape over a buffer: what a recording needs of a tensor. */
export interface ShapedStorage {
  readonly storage: Storage
  readonly shape: Shape
}

/** One of a dispatch's buffers, or a part of one. */
export interface RecordedBinding {
  /** The shader's name for it. */
  readonly name: string
  readonly binding: number
  readonly writable: boolean
  /**
   * Which buffer: the same number is the same memory, which the pool may hand on in the course of a
   * recording.
   */
  readonly buffer: number
  /** Null where only the bytes are known, and where a part of the tensor is bound. */
  readonly shape: Shape | null
  /** Where a part that is bound begins, in bytes; 0 for a whole tensor. */
  readonly offset: number
  /** Of the part that is bound; whole buffers are rounded up by the pool. */
  readonly bytes: number
}

/** One launch of a kernel. */
export interface RecordedDispatch {
  /** Counted from 0, in the order of launching. */
  readonly index: number
  /** The operator that launched it, or the shader's folder where none did. */
  readonly operator: string
  readonly layer: string | null
  /** 'forward', 'weight gradient', 'step' …; null outside operators. */
  readonly pass: string | null
  /** The file under shaders/. */
  readonly kernel: string
  readonly entryPoint: 'main'
  /** The WGSL that ran, after expansion, and where each of its lines was written. */
  readonly source: KernelSource
  /** What it was expanded with. */
  readonly constants: Constants
  /** The WGSL's own `override` constants, as they were set. */
  readonly overrides: Constants
  readonly params: Params
  readonly bindings: readonly RecordedBinding[]
  /** Threads of a workgroup in x, y and z. */
  readonly workgroup: Grid
  /** Workgroups in x, y and z. */
  readonly workgroups: Grid
  readonly threads: number
  /** Threads of the tail that had nothing to do; null where the kernel does not say. */
  readonly idle: number | null
  /** Null where the kernel does not say. */
  readonly cost: Cost | null
  /**
   * From the recording's first timestamp to its own, in milliseconds; null where the adapter has no
   * timestamps.
   */
  readonly begin: number | null
  /** GPU time in milliseconds. */
  readonly milliseconds: number | null
  /** How long its pipeline took to compile, whenever that was. */
  readonly compileMilliseconds: number
}

/** One call of an operator: its dispatches, and its tensors' values where those are kept. */
export interface RecordedCall {
  readonly operator: string
  readonly layer: string | null
  readonly pass: 'forward' | 'backward' | 'step'
  readonly attrs: unknown
  /**
   * Its dispatches: from `first` up to, not including, `end`. None where another call's launch has
   * computed its result too.
   */
  readonly first: number
  readonly end: number
  readonly tensors: Readonly<Record<string, RecordedTensor>>
}

/** A tensor of a call: its shape, and its values where they are kept. */
export interface RecordedTensor {
  readonly shape: Shape
  /** Null unless the recording keeps values. */
  readonly values: Float32Array | null
}

/** Work that was not done, and why. */
export interface Omission {
  readonly layer: string | null
  /** 'weight gradient', 'step' … */
  readonly what: string
  readonly why: string
}

/** Everything that ran between `record()` and `finish()`. */
export interface Recording {
  readonly dispatches: readonly RecordedDispatch[]
  readonly calls: readonly RecordedCall[]
  readonly omissions: readonly Omission[]
  /** The sum of all dispatches' GPU times, in milliseconds; null without timestamps. */
  readonly milliseconds: number | null
}

/** These dispatches of a recording and all that what they read came from, in order. */
export function withSources(
  dispatches: readonly RecordedDispatch[],
  ends: readonly RecordedDispatch[],
): RecordedDispatch[] {
  const wanted = new Set(ends)
  const read = new Set<number>()
  return dispatches
    .toReversed()
    .filter((one) => {
      if (
        !wanted.has(one) &&
        !one.bindings.some(({ writable, buffer }) => writable && read.has(buffer))
      )
        return false
      for (const { buffer } of one.bindings) read.add(buffer)
      return true
    })
    .reverse()
}

/**
 * Omissions as people read them: 'features.0 weight gradient: not dispatched, the parameter is
 * frozen'.
 * @example for (const omission of recording.omissions) console.log(describeOmission(omission))
 */
export function describeOmission({ layer, what, why }: Omission): string {
  return `${layer ? `${layer} ` : ''}${what}: not dispatched, ${why}`
}

/** A dispatch before its times are known. */
interface Launch extends Omit<RecordedDispatch, 'pass' | 'begin' | 'milliseconds'> {
  pass: string | null
  /** Which submit's query set, and which pair of it. */
  readonly batch: number
  readonly slot: number
}

interface OpenCall {
  readonly operator: string
  readonly pass: RecordedCall['pass']
  readonly attrs: unknown
  readonly first: number
}

/** Pairs of timestamps in a query set: WebGPU allows 4,096 queries. */
const pairs = 2048

/**
 * Records every launch of a device. Each gets a compute pass of its own, since WebGPU writes
 * timestamps at the ends of passes; made by `engine.record()`.
 * @example
 * const recorder = engine.record()
 * model.forward(x)
 * const { dispatches } = await recorder.finish()
 */
export class Recorder {
  readonly #gpu: Gpu
  readonly #keepValues: boolean
  readonly #launches: Launch[] = []
  readonly #calls: {
    readonly call: OpenCall
    readonly layer: string | null
    readonly end: number
    readonly tensors: Kept[]
  }[] = []
  readonly #omissions: Omission[] = []
  readonly #shapes = new Map<number, Shape>()
  readonly #times: (() => Promise<BigUint64Array>)[] = []
  readonly #queries: GPUQuerySet | null
  #open: OpenCall | null = null
  #slot = 0

  /**
   * @throws UsageError where the device is being recorded already
   * @internal
   */
  constructor(gpu: Gpu, options: { readonly values?: boolean } = {}) {
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
   * Notes the shape that a buffer is used in from here on.
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
    this.#open = { operator, pass, attrs, first: this.#launches.length }
  }

  /**
   * Ends the call.
   * @param tensors what it computed, by name, and whatever else is worth keeping. Of a backward
   * call each gradient's name tells the launches it came from apart
   * @internal
   */
  leave(
    tensors: Readonly<Record<string, ShapedStorage | null>>,
    gradients: Readonly<Record<string, ShapedStorage | null>> = {},
  ): void {
    const call = this.#open
    if (!call) return
    const end = this.#launches.length
    this.#open = null
    this.#attribute(call.first, gradients)
    const kept = Object.entries({ ...tensors, ...prefixed(gradients) }).flatMap(
      ([name, tensor]): Kept[] => {
        if (!tensor) return []
        const bytes = 4 * tensor.shape.reduce((product, extent) => product * extent, 1)
        return [
          {
            name,
            shape: tensor.shape,
            read: this.#keepValues
              ? this.#gpu.readLater([{ storage: tensor.storage, bytes }])
              : null,
          },
        ]
      },
    )
    this.#calls.push({ call, layer: this.#gpu.layer, end, tensors: kept })
  }

  /**
   * Notes work that is not done.
   * @internal
   */
  omit(what: string, why: string, layer = this.#gpu.layer): void {
    this.#omissions.push({ layer, what, why })
  }

  /**
   * For the dispatch point: notes a launch, and gives the compute pass it belongs in.
   * @internal
   */
  launch(
    encoder: GPUCommandEncoder,
    open: GPUComputePassEncoder | null,
    kernel: Kernel,
    compiled: CompiledKernel,
    bindings: Bindings,
    params: Params,
    workgroups: Grid,
  ): GPUComputePassEncoder {
    open?.end()
    const { source, constants } = compiled
    const declared = source.interface.bindings
    const overrides = Object.fromEntries(
      Object.entries(constants).filter(([name]) => source.interface.overrides.has(name)),
    )
    const [wx = 1, wy = 1, wz = 1] = source.interface.workgroup.map(
      (extent) => Number.parseInt(extent, 10) || constants[extent] || 1,
    )
    const threads = wx * wy * wz * workgroups[0] * workgroups[1] * workgroups[2]
    const wanted = kernel.threads?.(params, constants)
    const slot = this.#slot++
    this.#launches.push({
      index: this.#launches.length,
      operator: this.#open?.operator ?? (kernel.name.split('/')[0] as string),
      layer: this.#gpu.layer,
      pass: this.#open ? this.#open.pass : null,
      kernel: `${kernel.name}.wgsl`,
      entryPoint: 'main',
      source,
      constants,
      overrides,
      params,
      bindings: declared.map(({ name, binding, writable }) => {
        const bound = bindings[name] as Bindable
        const place =
          'offset' in bound
            ? { shape: null, offset: bound.offset }
            : { shape: this.#shapes.get(bound.id) ?? null, offset: 0 }
        return {
          name,
          binding,
          writable,
          buffer: storageOf(bound).id,
          ...place,
          bytes: bound.bytes,
        }
      }),
      workgroup: [wx, wy, wz],
      workgroups,
      threads,
      idle: wanted === undefined ? null : threads - wanted,
      cost: kernel.cost?.(params, constants) ?? null,
      compileMilliseconds: compiled.compileMilliseconds,
      batch: this.#times.length,
      slot,
    })
    const timestampWrites = this.#queries
      ? {
          querySet: this.#queries,
          beginningOfPassWriteIndex: 2 * slot,
          endOfPassWriteIndex: 2 * slot + 1,
        }
      : undefined
    return encoder.beginComputePass({ label: kernel.name, timestampWrites })
  }

  /**
   * For the submit: reads this batch's timestamps after it.
   * @internal
   */
  submitting(encoder: GPUCommandEncoder): void {
    const count = 2 * this.#slot
    this.#slot = 0
    if (!this.#queries || count === 0) {
      this.#times.push(async () => new BigUint64Array(0))
      return
    }
    const { device } = this.#gpu
    const size = 8 * count
    const resolved = device.createBuffer({
      label: 'recorder',
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    })
    const staging = device.createBuffer({
      label: 'recorder',
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    })
    encoder.resolveQuerySet(this.#queries, 0, count, resolved, 0)
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size)
    this.#times.push(async () => {
      await staging.mapAsync(GPUMapMode.READ)
      const times = new BigUint64Array(staging.getMappedRange()).slice()
      for (const buffer of [resolved, staging]) buffer.destroy()
      return times
    })
  }

  /**
   * Ends the recording, submits what is encoded, and reads the times.
   * @throws any error that the recorded work met
   */
  async finish(): Promise<Recording> {
    const gpu = this.#gpu
    gpu.submit()
    if (gpu.recorder === this) gpu.recorder = null
    await gpu.settle()
    const times = await gpu.wait(Promise.all(this.#times.map((read) => read())))
    this.#queries?.destroy()
    const first = times.find((batch) => batch.length > 0)?.[0] ?? 0n
    const dispatches = this.#launches.map(({ batch, slot, ...rest }): RecordedDispatch => {
      const [begin, end] = [times[batch]?.[2 * slot], times[batch]?.[2 * slot + 1]]
      if (begin === undefined || end === undefined)
        return { ...rest, begin: null, milliseconds: null }
      return {
        ...rest,
        begin: Number(begin - first) / 1e6,
        milliseconds: Number(end - begin) / 1e6,
      }
    })
    const calls = await Promise.all(
      this.#calls.map(async ({ call, layer, end, tensors }): Promise<RecordedCall> => {
        const entries = await Promise.all(
          tensors.map(async ({ name, shape, read }) => {
            const [bytes] = (await read?.()) ?? []
            return [name, { shape, values: bytes ? new Float32Array(bytes) : null }] as const
          }),
        )
        return { ...call, layer, end, tensors: Object.fromEntries(entries) }
      }),
    )
    const timed = dispatches.every(({ milliseconds }) => milliseconds !== null)
    const milliseconds = timed
      ? dispatches.reduce((sum, one) => sum + (one.milliseconds ?? 0), 0)
      : null
    return { dispatches, calls, omissions: this.#omissions, milliseconds }
  }

  /** Names the pass of each launch since `first` by the gradient that its results reach. */
  #attribute(first: number, gradients: Readonly<Record<string, ShapedStorage | null>>): void {
    const reaches = new Map<number, Set<string>>()
    for (const [name, tensor] of Object.entries(gradients))
      if (tensor) reaches.set(tensor.storage.id, new Set([gradientName(name)]))
    for (const launch of this.#launches.slice(first).reverse()) {
      const names = new Set(
        launch.bindings.flatMap(({ buffer, writable }) =>
          writable ? [...(reaches.get(buffer) ?? [])] : [],
        ),
      )
      if (names.size === 0) continue
      launch.pass = [...names].join(', ')
      for (const { buffer } of launch.bindings)
        reaches.set(buffer, new Set([...(reaches.get(buffer) ?? []), ...names]))
    }
  }
}

function storageOf(bound: Bindable): Storage {
  return 'offset' in bound ? bound.storage : bound
}

interface Kept {
  readonly name: string
  readonly shape: Shape
  readonly read: (() => Promise<ArrayBuffer[]>) | null
}

/** 'x' as 'input gradient', every other name as it is. */
export function gradientName(input: string): string {
  return `${input === 'x' ? 'input' : input} gradient`
}

function prefixed(
  gradients: Readonly<Record<string, ShapedStorage | null>>,
): Record<string, ShapedStorage | null> {
  return Object.fromEntries(Object.entries(gradients).map(([name, tensor]) => [`d${name}`, tensor]))
}
