import type { Storage } from './pool.ts'

/** A buffer to read back, and how much of it. */
export interface ReadItem {
  readonly storage: Storage
  readonly bytes: number
}

/**
 * The size of a page that many small results share, such as the losses of many steps. A larger
 * result has a page of its own.
 */
const pageBytes = 2 ** 18
/** Larger pages are rounded to this many bytes, so that nearly equal results share a buffer. */
const granule = 256
/**
 * The most bytes kept for later results. Without a limit, one snapshot of every parameter would
 * hold the size of the network forever.
 */
const idleLimit = 2 ** 26

/** Mappable memory into which results are copied side by side; it is read once for all of them. */
interface Page {
  readonly buffer: GPUBuffer
  used: number
  /** The copied bytes, once one of the results was asked for; none is added then. */
  contents: Promise<ArrayBuffer> | null
}

/** Copies results from the device back to JavaScript. */
export class Readbacks {
  readonly #device: GPUDevice
  readonly #submit: () => void
  /** Buffers for later results of their size, the one idle longest first. */
  readonly #idle: GPUBuffer[] = []
  #idleBytes = 0
  /** The page of the next small result. */
  #open: Page | null = null
  /** Pages that work not yet submitted copies into. */
  readonly #unsubmitted = new Set<Page>()

  /** @param submit submits the encoded work */
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

  /** All encoded work was submitted. */
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
    const index = this.#idle.findLastIndex((buffer) => buffer.size === size)
    const [idle] = index < 0 ? [] : this.#idle.splice(index, 1)
    if (idle) {
      this.#idleBytes -= size
      return idle
    }
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST
    return this.#device.createBuffer({ label: 'read-back', size, usage })
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
      if (!oldest) return
      this.#idleBytes -= oldest.size
      oldest.destroy()
    }
  }

  #contents(page: Page): Promise<ArrayBuffer> {
    if (this.#open === page) this.#open = null
    // Work that uses a buffer cannot be submitted while the buffer is being mapped, so whatever
    // copies into the page is submitted first.
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
