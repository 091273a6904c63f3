import { OutOfMemoryError, ShapeError } from './errors.ts'

/**
 * A GPU buffer with a count of its holders: tensors, saved activations, gradients. When the last lets go, the buffer returns to its
 * pool. Commands already encoded may still read it: whoever gets it next is encoded after them. In a rehearsal there is no buffer.
 */
export class Storage {
  readonly bytes: number
  /** Unique per buffer, for bind groups cached by identity. */
  readonly id: number
  /** The serial number of the newest command encoder that uses the buffer. */
  usedIn = -1
  #holders = 1
  readonly #buffer: GPUBuffer | null
  readonly #pool: BufferPool

  constructor(pool: BufferPool, buffer: GPUBuffer | null, bytes: number, id: number) {
    this.#pool = pool
    this.#buffer = buffer
    this.bytes = bytes
    this.id = id
  }

  get buffer(): GPUBuffer {
    if (!this.#buffer) throw new Error('the storage of a rehearsal has no buffer')
    return this.#buffer
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

  /** For the pool: handed out anew. */
  reuse(): this {
    this.#holders = 1
    return this
  }
}

/** What the GPU holds for Graft, in bytes. `liveBytes` and `buffers` count what tensors hold; `peakBytes` is the most ever allocated, free buffers kept for reuse included. */
export interface MemoryReport {
  readonly liveBytes: number
  readonly buffers: number
  readonly peakBytes: number
}

/** Sizes are rounded to this many bytes, so that nearly equal shapes share buffers and every vec4 array has whole elements. */
const granule = 256

/**
 * Storage buffers, kept by size. A training loop asks for the same sizes in the same order every step and is given the same buffers,
 * which is what lets bind groups be reused by identity.
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
  /** Told which buffers were destroyed, so that caches keyed by them can forget. */
  onDestroy: () => void = () => {}

  /**
   * @param create makes a buffer
   * @param maxBytes the most one may have
   */
  constructor(create: (bytes: number) => GPUBuffer | null, maxBytes: number) {
    this.#create = create
    this.#maxBytes = maxBytes
  }

  /** A pool that makes no buffers and only counts, from what is held here at present. */
  rehearsal(): BufferPool {
    const pool = new BufferPool(() => null, this.#maxBytes)
    pool.#liveBytes = this.#liveBytes
    pool.#allocatedBytes = this.#liveBytes
    pool.#peakBytes = this.#liveBytes
    return pool
  }

  /**
   * A buffer of at least `bytes` bytes, its contents undefined.
   * @param idleSince when set, the buffer must not be used by the encoder of this serial number: the caller writes it by queue, ahead of that encoder
   * @throws ShapeError where it is larger than a buffer may be
   */
  take(bytes: number, idleSince?: number): Storage {
    const size = Math.max(granule, Math.ceil(bytes / granule) * granule)
    if (size > this.#maxBytes)
      throw new ShapeError(
        `a tensor of ${(bytes / 2 ** 20).toFixed(0)} MiB is larger than the ${(this.#maxBytes / 2 ** 20).toFixed(0)} MiB that a buffer of this adapter may have; use a smaller batch or narrower layers`,
      )
    const storage = this.#pick(size, idleSince) ?? this.#add(size)
    this.#liveBytes += storage.bytes
    this.#liveBuffers++
    return storage
  }

  #pick(size: number, idleSince: number | undefined): Storage | undefined {
    const list = this.#free.get(size)
    if (!list) return undefined
    const at = idleSince === undefined ? list.length - 1 : list.findLastIndex((storage) => storage.usedIn < idleSince)
    return at < 0 ? undefined : list.splice(at, 1)[0]?.reuse()
  }

  #add(size: number): Storage {
    const storage = new Storage(this, this.#create(size), size, this.#nextId++)
    this.#allocatedBytes += size
    this.#peakBytes = Math.max(this.#peakBytes, this.#allocatedBytes)
    return storage
  }

  /** Called by a storage when its last holder let go. */
  giveBack(storage: Storage): void {
    this.#liveBytes -= storage.bytes
    this.#liveBuffers--
    const list = this.#free.get(storage.bytes)
    if (list) list.push(storage)
    else this.#free.set(storage.bytes, [storage])
  }

  /** Destroys the buffers nobody holds. Call when no commands are waiting to be submitted. */
  trim(): void {
    for (const list of this.#free.values())
      for (const storage of list) {
        this.#allocatedBytes -= storage.bytes
        storage.buffer.destroy()
      }
    this.#free.clear()
    this.onDestroy()
  }

  report(): MemoryReport {
    return { liveBytes: this.#liveBytes, buffers: this.#liveBuffers, peakBytes: this.#peakBytes }
  }
}

/** The typed error for a failed allocation. */
export function outOfMemory(bytes: number, report: MemoryReport, cause: GPUError): OutOfMemoryError {
  const mib = (n: number) => `${(n / 2 ** 20).toFixed(0)} MiB`
  return new OutOfMemoryError(`no GPU memory for ${mib(bytes)} beside the ${mib(report.liveBytes)} in use; use a smaller batch`, { cause })
}
