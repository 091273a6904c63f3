import { AutogradError, DeviceLostError, ShapeError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { MemoryReport, Storage } from '../gpu/memory/pool.ts'
import { Recorder } from '../gpu/recorder.ts'
import type { AdapterKind, Host } from '../host/host.ts'
import {
  checkShape,
  checkValues,
  type NdBuffer,
  type Shape,
  showShape,
  sizeOf,
} from './ndbuffer.ts'

/** The step of the computation that made a tensor. */
export interface GraphNode {
  /** Releases what this step and those before it keep for backward, if nothing else needs it. */
  abandon(): void
}

/**
 * A float32 array on the GPU: a shape, a buffer, and a gradient once backward has reached it.
 *
 * Leaves (from `engine.tensor`, and parameters) belong to the caller, who calls `dispose()`.
 * Results of operators that take part in a gradient are freed by the `backward()` that passes them,
 * except for the tensor that it started from.
 * @example
 * const x = engine.tensor(Float32Array.of(1, 2, 3, 4), [2, 2], { requiresGrad: true })
 * const loss = crossEntropy(x, Int32Array.of(0, 1))
 * loss.backward()
 * console.log(await x.grad?.data())
 */
export class Tensor {
  readonly engine: Engine
  readonly shape: Shape
  /** Whether backward computes a gradient for this tensor. Set it on leaves only. */
  requiresGrad: boolean
  /**
   * d(root)/d(this), summed over backward calls. Null before the first, and for a tensor that
   * requires no gradient.
   */
  grad: Tensor | null = null
  /**
   * How this tensor was computed, where a gradient has to flow back through it.
   * @internal
   */
  node: GraphNode | null = null
  /**
   * Recorded steps that read this tensor.
   * @internal
   */
  consumers = 0
  #storage: Storage | null

  /** Releases the buffer once it is disposed of. Use `engine.tensor` to make one from data. */
  constructor(engine: Engine, buffer: NdBuffer, requiresGrad = false) {
    this.engine = engine
    this.shape = [...buffer.shape]
    this.#storage = buffer.storage
    this.requiresGrad = requiresGrad
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape)
  }

  get disposed(): boolean {
    return this.#storage === null
  }

  /**
   * The buffer, for operators.
   * @throws AutogradError when the tensor was disposed of, or freed by a backward that passed it
   */
  get buffer(): NdBuffer {
    if (!this.#storage)
      throw new AutogradError(
        `a tensor of shape ${showShape(this.shape)} was disposed of, or freed by backward(), ` +
          'and cannot be read',
      )
    return { storage: this.#storage, shape: this.shape }
  }

  /**
   * Reads the values back, row-major.
   * @throws KernelError, OutOfMemoryError or DeviceLostError that any work before it has met
   */
  async data(): Promise<Float32Array> {
    const [data] = await this.engine.read([this])
    return data
  }

  /**
   * Adds d(this)/d(leaf) · dy to the `grad` of every leaf that requires one. Frees the
   * intermediates it passes.
   * @param dy has the shape of this tensor. Default: 1, for a tensor of a single element
   * @throws AutogradError when nothing here requires a gradient, or backward already passed
   * @throws ShapeError when dy has another shape
   */
  backward(dy?: Tensor): void {
    this.engine.backward(this, dy)
  }

  /**
   * Gives the tensor another buffer and releases the old one.
   * @throws ShapeError when it has another number of values
   * @internal
   */
  replace(buffer: NdBuffer): void {
    if (sizeOf(buffer.shape) !== this.size)
      throw new ShapeError(
        `a tensor of shape ${showShape(this.shape)} cannot take values of shape ` +
          showShape(buffer.shape),
      )
    this.#storage?.release()
    this.#storage = buffer.storage
  }

  /** Releases the buffer, and the graph behind it if nothing else needs it. May be called twice. */
  dispose(): void {
    this.grad?.dispose()
    this.grad = null
    this.free()
    if (this.consumers === 0) this.node?.abandon()
  }

  /** Releases the buffer alone: the graph stays, and keeps what backward will read. */
  free(): void {
    this.#storage?.release()
    this.#storage = null
  }
}

/** The adapter an engine runs on. */
export interface EngineInfo {
  /** The driver's own description, for example 'llvmpipe: Mesa 25.0.7 (LLVM 15.0.6)'. */
  readonly adapter: string
  readonly kind: AdapterKind
  readonly vendor: string
  readonly architecture: string
  readonly features: readonly string[]
  /** Lanes of the register tiles, or null where the plain kernels run. */
  readonly subgroup: number | null
}

/** A device, what it is, and how many bytes tensors may still take there, where that is known. */
export interface OpenDevice {
  readonly gpu: Gpu
  readonly info: EngineInfo
  readonly freeBytes: () => number | null
}

/** What can be read back: a tensor, or a buffer of this engine. */
interface Readable {
  readonly buffer: NdBuffer
  readonly engine?: Engine
}

/** The values of several tensors, one array for each. */
type ValuesOf<T extends readonly Readable[]> = { -readonly [I in keyof T]: Float32Array }

/**
 * One GPU device, and the tensors on it. Made by `createEngine`.
 * @example
 * const engine = await createEngine()
 * console.log(engine.info.adapter)
 * engine.dispose()
 */
export class Engine {
  /** The surroundings that it runs in: Node, or a browser. */
  readonly host: Host
  readonly #open: () => Promise<OpenDevice>
  readonly #backward: (root: Tensor, dy?: Tensor) => void
  #device: OpenDevice
  #disposed = false
  /** Whether operators record what backward needs. See `noGrad`. */
  gradEnabled = true

  /**
   * @param open opens another device, where this one is lost
   * @internal
   */
  constructor(
    host: Host,
    device: OpenDevice,
    open: () => Promise<OpenDevice>,
    backward: (root: Tensor, dy?: Tensor) => void,
  ) {
    this.host = host
    this.#device = device
    this.#open = open
    this.#backward = backward
  }

  /** The device, for operators. `reopen()` replaces it. */
  get gpu(): Gpu {
    return this.#device.gpu
  }

  get info(): EngineInfo {
    return this.#device.info
  }

  /**
   * Opens a device in the place of one that was lost, with the options the engine was made with.
   * The tensors' values are lost with the old device: parameters take new values by `revive`, and
   * every other tensor can only be disposed of. `fit` does all this by itself.
   * @throws DeviceLostError after `dispose()`
   * @throws AdapterError where there is no adapter any more
   * @example
   * await engine.reopen()
   * for (const parameter of model.parameters()) parameter.revive(kept[parameter.name])
   */
  async reopen(): Promise<void> {
    if (this.#disposed) throw new DeviceLostError('the engine was disposed: create a new one')
    this.gpu.dispose()
    this.#device = await this.#open()
    if (this.#disposed) this.gpu.dispose()
  }

  /** The device's limits, raised to what the adapter offers. */
  get limits(): GPUSupportedLimits {
    return this.gpu.device.limits
  }

  /**
   * A tensor with the given values.
   * @param data row-major; copied
   * @throws ShapeError when the shape does not hold as many values, or is larger than a buffer may
   * be
   * @throws UsageError for values that are not a Float32Array, and options that do not exist
   * @example const x = engine.tensor(Float32Array.of(1, 2, 3, 4), [2, 2], { requiresGrad: true })
   */
  tensor(
    data: Float32Array,
    shape: Shape,
    options: { readonly requiresGrad?: boolean } = {},
  ): Tensor {
    checkOptions('engine.tensor', options, ['requiresGrad'])
    checkValues('a tensor', data)
    checkShape('a tensor', shape)
    if (sizeOf(shape) !== data.length)
      throw new ShapeError(
        `a tensor of shape ${showShape(shape)} has ${sizeOf(shape)} values, ` +
          `but ${data.length} were given`,
      )
    return new Tensor(this, { storage: this.gpu.upload(data), shape }, options.requiresGrad)
  }

  /**
   * Reads several tensors back in one submit.
   * @throws AutogradError for one of another engine
   */
  read<const T extends readonly Readable[]>(tensors: T): Promise<ValuesOf<T>> {
    const collect = this.readLater(tensors)
    this.gpu.submit()
    return collect()
  }

  /**
   * Copies the values that several tensors have at this point of the work, to be read later; the
   * tensors may be disposed of at once. Submits nothing: call the result after `gpu.submit()`.
   * @throws AutogradError for one of another engine
   */
  readLater<const T extends readonly Readable[]>(tensors: T): () => Promise<ValuesOf<T>> {
    if (tensors.some(({ engine = this }) => engine !== this))
      throw new AutogradError('a tensor is read by the engine that it lives on')
    const items = tensors.map(({ buffer: { storage, shape } }) => ({
      storage,
      bytes: 4 * sizeOf(shape),
    }))
    const collect = this.gpu.readLater(items)
    // One array for each tensor, in order, as the type says.
    return async () => (await collect()).map((bytes) => new Float32Array(bytes)) as ValuesOf<T>
  }

  /** What the GPU holds: bytes and buffers in use by tensors, and the most ever allocated. */
  memory(): MemoryReport {
    return this.gpu.memory()
  }

  /**
   * Records every dispatch from here to the recorder's `finish()`: operator, layer, pass, WGSL,
   * bindings, sizes, GPU time and cost; and what did not run, and why. Each dispatch then gets its
   * own compute pass, so that a step takes a little longer.
   * @param options.values also keep the values of the tensors that operators compute, forward and
   * backward
   * @throws UsageError while another recording is under way, and for options that do not exist
   * @example
   * const recorder = engine.record()
   * model.forward(x)
   * const { dispatches, omissions } = await recorder.finish()
   */
  record(options: { readonly values?: boolean } = {}): Recorder {
    checkOptions('engine.record', options, ['values'])
    return new Recorder(this.gpu, options)
  }

  /**
   * Bytes that tensors may still take: the machine's free memory where the CPU computes; null on a
   * GPU, which does not say.
   */
  freeBytes(): number | null {
    return this.#device.freeBytes()
  }

  /** Runs `body` without recording for backward; its results require no gradient. */
  noGrad<T>(body: () => T): T {
    const before = this.gradEnabled
    this.gradEnabled = false
    try {
      return body()
    } finally {
      this.gradEnabled = before
    }
  }

  /**
   * What `tensor.backward` calls.
   * @internal
   */
  backward(root: Tensor, dy?: Tensor): void {
    this.#backward(root, dy)
  }

  /** Frees the device and everything on it. The process can then exit. May be called twice. */
  dispose(): void {
    this.#disposed = true
    this.gpu.dispose()
  }
}
