import { DeviceLostError, type GraftError } from '../base/errors.ts'

/**
 * The errors of a device. WebGPU reports most of them some time after the call that caused them:
 * they are collected here and thrown at the next `settle`.
 */
export class DeviceErrors {
  readonly #pending: Promise<GraftError | null>[] = []
  /** What the `settle` in progress finds; one that begins meanwhile throws it too. */
  #settling: Promise<GraftError | null> | null = null
  #uncaptured: GraftError | null = null
  #lost: DeviceLostError | null = null
  #disposed = false

  constructor(device: GPUDevice) {
    void device.lost.then((info) => {
      const reason = info.message || info.reason
      this.#lost ??= new DeviceLostError(
        this.#disposed
          ? 'the engine was disposed: create a new one'
          : `the GPU device was lost (${reason}): create a new engine and load the last checkpoint`,
        { reason },
      )
    })
  }

  /** Why the device is gone, unless it was disposed; null while it works. */
  get lost(): DeviceLostError | null {
    return this.#disposed ? null : this.#lost
  }

  /** Adds the result of an error scope, as an error of Graft's. */
  add(error: Promise<GraftError | null>): void {
    this.#pending.push(error)
  }

  /** Adds an error that no scope caught; the first one counts. */
  addUncaptured(error: GraftError): void {
    this.#uncaptured ??= error
  }

  /** Waits until every error of the work submitted so far is known, and throws the first. */
  async settle(): Promise<void> {
    const earlier = this.#settling
    const fresh = Promise.all(this.#pending.splice(0))
    const settling = fresh.then(
      async (errors) => (await earlier) ?? errors.find((error) => error !== null) ?? null,
    )
    this.#settling = settling
    const found = await settling
    if (this.#settling === settling) this.#settling = null
    const error = this.#lost ?? found ?? this.#uncaptured
    this.#uncaptured = null
    if (error) throw error
  }

  /** The error for a read-back that failed. */
  ofReadback(cause: unknown): GraftError {
    return (
      this.#lost ??
      this.#uncaptured ??
      new DeviceLostError('reading back from the GPU failed: create a new engine', { cause })
    )
  }

  /** @throws DeviceLostError where the device is gone */
  check(): void {
    if (this.#disposed) throw new DeviceLostError('the engine was disposed: create a new one')
    if (this.#lost) throw this.#lost
  }

  /** The device is about to be destroyed on purpose. */
  dispose(): void {
    this.#disposed = true
  }
}
