import type { Storage } from './pool.ts'

/** A buffer to read back, and how much of it. */
export interface ReadItem {
  readonly storage: Storage
  readonly bytes: number
}

/**
 * What many small results share, such as the losses of many steps; a larger one has memory of its
 * own.
 */
const pageBytes = 2 ** 18
/**
 * Sizes of the larger ones are rounded to this many bytes, so that nearly equal ones find the same
 * buffer.
 */
const granule = 256
/**
 * Memory that is kept for results to come; a snapshot of every parameter would hold the size of the
 * network for good.
 */
const idleLimit = 2 ** 26

/**
 * Mappable memory that results are copied into one after the other, and that is read once for all
 * of them.
 */
interface Page {
  readonly buffer: GPUBuffer
  used: number
  /** What was copied, once somebody has asked for it; nothing is added then. */
  contents: Promise<ArrayBuffer> | null
}

/** Copies of results on their way to the host. */
export class Readbacks {
  readonly #device: GPUDevice
  readonly #submit: () => void
  /**
   * Kept for the next result of its size, at most `idleLimit` bytes; the one that has waited
   * longest comes first.
   */
  readonly #idle: GPUBuffer[] = []
  #idleBytes = 0
  /** Where the next small result goes. */
  #open: Page | null = null
  /** What the work that is not submitted copies into. */
  readonly #unsubmitted = new Set<Page>()

  /** @param submit hands encoded work to the device */
  constructor(device: GPUDevice, submit: () => void) {
    this.#device = device
    this.#submit = submit
  }

  /**
   * Encodes copies of buffers as they are at this point of the work. Call the result after the
   * submit, to wait for them.
   */
  copy(encoder: GPUCommandEncoder, items: readonly ReadItem[]): () => Promise<ArrayBuffer[]> {
    const copies = items.map(({ storage, bytes }) => {
      const size = Math.max(4, Math.ceil(bytes / 4) * 4)
      const page = this.#pageFor(size)
      const from = page.used
      page.used += size
      this.#unsubmitted.add(page)
      encoder.copyBufferToBuffer(storage.buffer, 0, page.buffer, from, size)
      return async () => {
        const contents = await this.#contents(page)
        return bytes === contents.byteLength ? contents : contents.slice(from, from + bytes)
      }
    })
    return () => Promise.all(copies.map((collect) => collect()))
  }

  /** Notes that no work is waiting to be submitted. */
  submitted(): void {
    this.#unsubmitted.clear()
  }

  #pageFor(size: number): Page {
    if (this.#open && this.#open.used + size <= pageBytes) return this.#open
    const page: Page = {
      buffer: this.#take(Math.max(pageBytes, Math.ceil(size / granule) * granule)),
      used: 0,
      contents: null,
    }
    if (size <= pageBytes) this.#open = page
    return page
  }

  #take(size: number): GPUBuffer {
    const at = this.#idle.findLastIndex((buffer) => buffer.size === size)
    const [idle] = at < 0 ? [] : this.#idle.splice(at, 1)
    if (idle) this.#idleBytes -= size
    return (
      idle ??
      this.#device.createBuffer({
        label: 'read-back',
        size,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      })
    )
  }

  #keep(buffer: GPUBuffer): void {
    if (buffer.size > idleLimit) {
      buffer.destroy()
      return
    }
    this.#idle.push(buffer)
    this.#idleBytes += buffer.size
    while (this.#idleBytes > idleLimit) {
      const oldest = this.#idle.shift()
      this.#idleBytes -= oldest?.size ?? 0
      oldest?.destroy()
    }
  }

  #contents(page: Page): Promise<ArrayBuffer> {
    if (this.#open === page) this.#open = null
    // A buffer that is being mapped is in no submitted work: neither in that of others who copy
    // into the page.
    if (this.#unsubmitted.has(page)) this.#submit()
    page.contents ??= this.#collect(page)
    return page.contents
  }

  async #collect({ buffer, used }: Page): Promise<ArrayBuffer> {
    await buffer.mapAsync(GPUMapMode.READ, 0, used)
    const copy = buffer.getMappedRange(0, used).slice(0)
    buffer.unmap()
    this.#keep(buffer)
    return copy
  }
}
