import type { Storage } from './pool.ts'

/** A buffer to read back, and how much of it. */
export interface ReadItem {
  readonly storage: Storage
  readonly bytes: number
}

/** Sizes are rounded to this many bytes, so that a changing number of losses finds the same buffer. */
const granule = 256

/** Mappable buffers that results are copied into, kept by size. */
export class Readbacks {
  readonly #device: GPUDevice
  readonly #idle = new Map<number, GPUBuffer[]>()

  constructor(device: GPUDevice) {
    this.#device = device
  }

  /** Encodes copies of buffers as they are at this point of the work. Call the result after the submit, to wait for them. */
  copy(encoder: GPUCommandEncoder, items: readonly ReadItem[]): () => Promise<ArrayBuffer[]> {
    const copies = items.map(({ storage, bytes }) => {
      const size = Math.max(4, Math.ceil(bytes / 4) * 4)
      const target = this.#take(size)
      encoder.copyBufferToBuffer(storage.buffer, 0, target, 0, size)
      return { target, bytes, size }
    })
    return () => Promise.all(copies.map(({ target, bytes, size }) => this.#collect(target, bytes, size)))
  }

  #take(bytes: number): GPUBuffer {
    const size = Math.ceil(bytes / granule) * granule
    return (
      this.#idle.get(size)?.pop() ??
      this.#device.createBuffer({ label: 'read-back', size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST })
    )
  }

  /** The first `bytes` bytes of a buffer, once the device has written the `mapped` bytes they are among. */
  async #collect(buffer: GPUBuffer, bytes: number, mapped: number): Promise<ArrayBuffer> {
    await buffer.mapAsync(GPUMapMode.READ, 0, mapped)
    const copy = buffer.getMappedRange(0, mapped).slice(0, bytes)
    buffer.unmap()
    const idle = this.#idle.get(buffer.size)
    if (idle) idle.push(buffer)
    else this.#idle.set(buffer.size, [buffer])
    return copy
  }
}
