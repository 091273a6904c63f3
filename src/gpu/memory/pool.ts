import { at } from '../../base/at.ts'
import { OutOfMemoryError, ShapeError } from '../../base/errors.ts'
import { bytes as formatBytes } from '../../base/format.ts'
import type { Layout, Lifetimes } from './layout.ts'

/**
 * A GPU buffer with a count of its holders: tensors, saved activations, gradients. When the last
 * holder releases it, the buffer returns to its pool. Commands already encoded may still read it:
 * those of the next holder are encoded after them. In a rehearsal there is no buffer.
 */
export class Storage {
  /** The bytes its holders asked for, rounded up; the buffer may be larger. */
  bytes: number
  /** The bytes of the buffer. */
  readonly capacity: number
  /** Unique per buffer, for bind groups cached by identity. */
  readonly id: number
  /** The serial number of the newest command encoder that uses the buffer. */
  usedIn = -1
  /** Whether the buffer is part of a layout. */
  laidOut = false
  #holders = 1
  readonly #buffer: GPUBuffer | null
  readonly #pool: BufferPool

  constructor(pool: BufferPool, buffer: GPUBuffer | null, bytes: number, id: number) {
    this.#pool = pool
    this.#buffer = buffer
    this.bytes = bytes
    this.capacity = bytes
    this.id = id
  }

  get buffer(): GPUBuffer {
    if (!this.#buffer) throw new Error('the storage of a rehearsal has no buffer')
    return this.#buffer
  }

  /** Whether nobody holds it. */
  get idle(): boolean {
    return this.#holders === 0
  }

  /** One more holder. Returns the storage itself. */
  retain(): this {
    this.#holders++
    return this
  }

  /** One holder fewer; the last one gives the buffer back. */
  release(): void {
    if (--this.#holders === 0) this.#pool.giveBack(this)
    if (this.#holders < 0) throw new Error('a storage was released twice')
  }

  /** For the pool: the buffer has a new holder. */
  reuse(bytes: number): this {
    this.bytes = bytes
    this.#holders = 1
    return this
  }
}

/**
 * The GPU memory that Graft uses. `liveBytes` and `buffers` count what tensors hold; `peakBytes` is
 * the most ever allocated, including free buffers kept for reuse.
 */
export interface MemoryReport {
  readonly liveBytes: number
  readonly buffers: number
  readonly peakBytes: number
}

/**
 * Sizes are rounded to this many bytes, so that nearly equal shapes share buffers and every vec4
 * array has whole elements.
 */
const granule = 256

/**
 * A free buffer may be this many times as large as a request, so that activations and gradients
 * that are not held at the same time share memory. Measured over a training step of alexnet-64, and
 * of torchvision's at batch 8 and 32: 97, 556 and 798 MiB with 1 (equal sizes only), 76, 520 and
 * 699 MiB with 2; more than 2 saves nothing further.
 */
const slack = 2

/**
 * Storage buffers for use and reuse. A training loop asks for the same sizes in the same order
 * every step and gets the same buffers, so bind groups can be reused by the buffers' identity.
 */
export class BufferPool {
  readonly #create: (bytes: number) => GPUBuffer | null
  readonly #maxBytes: number
  readonly #free = new Map<number, Storage[]>()
  #nextId = 0
  #liveBytes = 0
  #liveBuffers = 0
  #allocatedBytes = 0
  #peakBytes = 0
  #layout: Layout | null = null
  #laidOut: (Storage | undefined)[] = []
  /** How often each layer has asked for each size since the last submit. */
  readonly #asked = new Map<string, number>()
  #lifetimes: Lifetimes | null = null
  /** Called when buffers were destroyed, so that caches keyed by them can forget them. */
  onDestroy: () => void = () => {}

  /**
   * @param create makes a buffer
   * @param maxBytes the most one may have
   */
  constructor(create: (bytes: number) => GPUBuffer | null, maxBytes: number) {
    this.#create = create
    this.#maxBytes = maxBytes
  }

  /**
   * A pool that makes no buffers and only counts, beginning with what is held here at present.
   * @param lifetimes notes its requests
   * @param layout the layout it adopts
   */
  rehearsal(lifetimes: Lifetimes, layout: Layout | null): BufferPool {
    const pool = new BufferPool(() => null, this.#maxBytes)
    pool.#layout = layout
    pool.#lifetimes = lifetimes
    const free = [...this.#free].reduce((sum, [capacity, list]) => sum + capacity * list.length, 0)
    pool.#liveBytes = this.#liveBytes
    pool.#allocatedBytes = this.#allocatedBytes - free
    pool.#peakBytes = pool.#allocatedBytes
    return pool
  }

  /**
   * A buffer of at least `bytes` bytes, its contents undefined.
   * @param layer the layer that asks
   * @param idleSince the buffer must not be used by the encoder of this serial number: the caller
   * writes to it ahead of that encoder
   * @throws ShapeError where it is larger than a buffer may be
   */
  take(bytes: number, layer: string | null, idleSince = Number.POSITIVE_INFINITY): Storage {
    const size = Math.max(granule, Math.ceil(bytes / granule) * granule)
    if (size > this.#maxBytes)
      throw new ShapeError(
        `a tensor of ${formatBytes(bytes)} is larger than the ${formatBytes(this.#maxBytes)} ` +
          'that a buffer of this adapter may have; use a smaller batch or narrower layers',
      )
    const key = this.#keyOf(layer, size)
    const storage =
      this.#place(size, key, idleSince) ?? this.#pick(size, layer, idleSince) ?? this.#add(size)
    this.#lifetimes?.take(storage, key, layer)
    this.#liveBytes += storage.bytes
    this.#liveBuffers++
    return storage
  }

  /** Work was submitted: requests are counted from the beginning. */
  submitted(): void {
    this.#asked.clear()
    this.#lifetimes?.submit()
  }

  /**
   * From now on, requests that are in this layout get its buffers, where those are free. Call when
   * free buffers of the old layout are no longer needed.
   */
  adopt(layout: Layout): void {
    for (const storage of this.#laidOut) if (storage) storage.laidOut = false
    this.#layout = layout
    this.#laidOut = []
  }

  #keyOf(layer: string | null, size: number): string {
    const kind = `${layer} ${size}`
    const asked = this.#asked.get(kind) ?? 0 // none before
    this.#asked.set(kind, asked + 1)
    return `${kind} ${asked}`
  }

  /** The layout's buffer for a request, created at its first use. */
  #place(size: number, key: string, idleSince: number): Storage | undefined {
    const index = this.#layout?.buffers.get(key)
    if (!this.#layout || index === undefined) return undefined
    const known = this.#laidOut[index]
    if (known)
      return known.idle && known.usedIn < idleSince ? this.#handOut(known, size) : undefined
    const created = this.#add(at(this.#layout.capacities, index))
    created.laidOut = true
    this.#laidOut[index] = created
    return created.reuse(size)
  }

  /**
   * The free buffer that fits best, of equal ones the oldest, so that the result depends only on
   * what is free. Buffers of the layout go to its layers only, since others might keep one forever;
   * its layers get them for smaller requests too, as in the last batch.
   */
  #pick(size: number, layer: string | null, idleSince: number): Storage | undefined {
    const member = layer !== null && this.#layout?.layers.has(layer)
    let best: Storage | undefined
    for (const [capacity, list] of this.#free) {
      if (capacity < size || (best && capacity > best.capacity)) continue
      for (const storage of list) {
        if (storage.usedIn >= idleSince || (storage.laidOut ? !member : capacity > slack * size))
          continue
        if (!(best && storage.capacity === best.capacity && storage.id > best.id)) best = storage
      }
    }
    return best && this.#handOut(best, size)
  }

  #handOut(storage: Storage, size: number): Storage {
    const list = this.#free.get(storage.capacity)
    if (!list) throw new Error('a storage that is idle is not in the list of free ones')
    list.splice(list.indexOf(storage), 1)
    return storage.reuse(size)
  }

  #add(size: number): Storage {
    const storage = new Storage(this, this.#create(size), size, this.#nextId++)
    this.#allocatedBytes += size
    this.#peakBytes = Math.max(this.#peakBytes, this.#allocatedBytes)
    return storage
  }

  /** Called by a storage when its last holder releases it. */
  giveBack(storage: Storage): void {
    this.#lifetimes?.giveBack(storage)
    this.#liveBytes -= storage.bytes
    this.#liveBuffers--
    const list = this.#free.get(storage.capacity)
    if (list) list.push(storage)
    else this.#free.set(storage.capacity, [storage])
  }

  /** Destroys the buffers nobody holds. Call when no commands are waiting to be submitted. */
  trim(): void {
    for (const list of this.#free.values())
      for (const storage of list) {
        this.#allocatedBytes -= storage.capacity
        storage.buffer.destroy()
      }
    this.#free.clear()
    this.#laidOut = this.#laidOut.map((storage) => (storage?.idle ? undefined : storage))
    this.onDestroy()
  }

  report(): MemoryReport {
    return { liveBytes: this.#liveBytes, buffers: this.#liveBuffers, peakBytes: this.#peakBytes }
  }
}

/** A buffer for kernels and copies, and the error scope of its allocation. */
export function createStorageBuffer(
  device: GPUDevice,
  size: number,
): { readonly buffer: GPUBuffer; readonly scope: Promise<GPUError | null> } {
  device.pushErrorScope('out-of-memory')
  const buffer = device.createBuffer({
    size,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  })
  return { buffer, scope: device.popErrorScope() }
}

/** The typed error for a failed allocation. */
export function outOfMemory(
  bytes: number,
  report: MemoryReport,
  cause: GPUError,
): OutOfMemoryError {
  return new OutOfMemoryError(
    `no GPU memory for ${formatBytes(bytes)} beside the ${formatBytes(report.liveBytes)} in ` +
      'use; use a smaller batch',
    { cause },
  )
}
