/** Sizes are rounded to this many bytes, so that a changing number of losses finds the same buffer. */
const granule = 256

/** Mappable buffers that results are copied into, kept by size. */
export class Readbacks {
  readonly #device: GPUDevice
  readonly #idle = new Map<number, GPUBuffer[]>()

  constructor(device: GPUDevice) {
    this.#device = device
  }

  /** A buffer to copy `bytes` bytes into; `collect` takes it back. */
  take(bytes: number): GPUBuffer {
    const size = Math.ceil(bytes / granule) * granule
    return (
      this.#idle.get(size)?.pop() ??
      this.#device.createBuffer({ label: 'read-back', size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST })
    )
  }

  /** The first `bytes` bytes of a buffer, once the device has written the `mapped` bytes they are among. */
  async collect(buffer: GPUBuffer, bytes: number, mapped: number): Promise<ArrayBuffer> {
    await buffer.mapAsync(GPUMapMode.READ, 0, mapped)
    const copy = buffer.getMappedRange(0, mapped).slice(0, bytes)
    buffer.unmap()
    const idle = this.#idle.get(buffer.size)
    if (idle) idle.push(buffer)
    else this.#idle.set(buffer.size, [buffer])
    return copy
  }
}
