import { AutogradError, DeviceLostError, ShapeError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { MemoryReport } from '../gpu/memory/pool.ts'
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
import { Tensor } from './tensor.ts'

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
