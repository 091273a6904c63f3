const bytes = 16

/** Two timestamps around a compute pass. */
export class Timer {
  readonly writes: GPUComputePassTimestampWrites
  readonly #resolved: GPUBuffer
  readonly #staging: GPUBuffer

  constructor(device: GPUDevice) {
    const querySet = device.createQuerySet({ label: 'timer', type: 'timestamp', count: 2 })
    this.writes = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 }
    this.#resolved = device.createBuffer({
      label: 'timer',
      size: bytes,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    })
    this.#staging = device.createBuffer({
      label: 'timer',
      size: bytes,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    })
  }

  /**
   * Encodes the reading of both; call the result after the submit. It gives the time between them
   * in milliseconds.
   */
  resolve(encoder: GPUCommandEncoder): () => Promise<number> {
    encoder.resolveQuerySet(this.writes.querySet, 0, 2, this.#resolved, 0)
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, bytes)
    return async () => {
      await this.#staging.mapAsync(GPUMapMode.READ)
      const [begin = 0n, end = 0n] = new BigUint64Array(this.#staging.getMappedRange())
      this.#staging.unmap()
      return Number(end - begin) / 1e6
    }
  }
}
