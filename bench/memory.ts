/** Bytes of GPU buffers, counted for one of those who share a device. */
export class Account {
  #live = 0
  #peak = 0
  readonly #meter: MemoryMeter

  constructor(meter: MemoryMeter) {
    this.#meter = meter
  }

  /**
   * Counts every buffer made on the device while `body` runs as this account's. One body at a time.
   */
  async during<T>(body: () => Promise<T>): Promise<T> {
    this.#meter.active = this
    try {
      return await body()
    } finally {
      this.#meter.active = null
    }
  }

  /** Forgets the peak so far: uploads of weights need staging memory that no step needs. */
  restart(): void {
    this.#peak = this.#live
  }

  /** The most bytes allocated at once, free buffers kept for reuse included. */
  get peak(): number {
    return this.#peak
  }

  add(bytes: number): void {
    this.#live += bytes
    this.#peak = Math.max(this.#peak, this.#live)
  }
}

/**
 * Counts the buffers of a device, whoever makes them: the same measure for Graft and for tfjs on
 * Graft's device. A buffer belongs to the account that was active when it was made.
 */
export class MemoryMeter {
  active: Account | null = null
  static readonly #meters = new WeakMap<GPUDevice, MemoryMeter>()

  private constructor(device: GPUDevice) {
    const create = device.createBuffer.bind(device)
    device.createBuffer = (descriptor) => {
      const buffer = create(descriptor)
      const owner = this.active
      if (!owner) return buffer
      owner.add(descriptor.size)
      const destroy = buffer.destroy.bind(buffer)
      let alive = true
      buffer.destroy = () => {
        if (alive) owner.add(-descriptor.size)
        alive = false
        return destroy()
      }
      return buffer
    }
  }

  /** The meter of a device; it counts what is made after its first use. */
  static of(device: GPUDevice): MemoryMeter {
    const known = MemoryMeter.#meters.get(device)
    if (known) return known
    const meter = new MemoryMeter(device)
    MemoryMeter.#meters.set(device, meter)
    return meter
  }
}
