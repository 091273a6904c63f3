import type { DeviceExecution } from './deviceExecution.ts'
import type { Execution } from './execution.ts'
import { type Bindings, useBindings } from './kernels/bindGroups.ts'
import type { Constants, Kernel } from './kernels/kernel.ts'
import { type Layout, Lifetimes } from './memory/layout.ts'
import type { BufferPool, Storage } from './memory/pool.ts'
import type { ReadItem } from './memory/readbacks.ts'

/** The result of a rehearsal: what the work would need. */
export interface Rehearsal {
  /** What it would launch. */
  readonly kernels: readonly (readonly [Kernel, Constants])[]
  /** The most bytes that would be held at once, including those held already. */
  readonly peakBytes: number
  readonly layout: Layout
}

/**
 * Goes through work without doing it: nothing is allocated, written, launched, read back or
 * recorded. Notes which kernels the work would launch and which memory it would take.
 */
export class RehearsalExecution implements Execution {
  readonly recorder = null
  readonly #device: DeviceExecution
  readonly #pool: BufferPool
  readonly #lifetimes = new Lifetimes()
  readonly #kernels: [Kernel, Constants][] = []
  /** Whether work would be encoded that is not submitted. */
  #busy = false

  /**
   * @param device where the work would run. Its encoder's serial number is shared: a rehearsal uses
   * buffers that outlive it, such as parameters
   * @param layout the layout of memory, where one is adopted already
   */
  constructor(device: DeviceExecution, layout: Layout | null) {
    this.#device = device
    this.#pool = device.pool.rehearsal(this.#lifetimes, layout)
  }

  allocate(bytes: number, layer: string | null): Storage {
    return this.#pool.take(bytes, layer)
  }

  allocateIdle(bytes: number, layer: string | null): Storage {
    return this.#pool.take(bytes, layer, this.#busy ? this.#device.serial : undefined)
  }

  write(storage: Storage): void {
    if (this.#busy && storage.usedIn === this.#device.serial) this.submit()
  }

  launch(kernel: Kernel, constants: Constants, bindings: Bindings): void {
    useBindings(this.#device.limits, kernel.name, bindings, this.#device.serial)
    this.#kernels.push([kernel, constants])
    this.#busy = true
  }

  readLater(items: readonly ReadItem[]): () => Promise<ArrayBuffer[]> {
    for (const { storage } of items) storage.usedIn = this.#device.serial
    return async () => []
  }

  submit(): void {
    if (this.#busy) this.#device.serial++
    this.#busy = false
    this.#pool.submitted()
    this.#device.submit() // work that `Gpu.actual` encoded for real in the meantime
  }

  /** Ends the rehearsal. */
  finish(): Rehearsal {
    this.submit()
    return {
      kernels: this.#kernels,
      peakBytes: this.#pool.report().peakBytes,
      layout: this.#lifetimes.layout(),
    }
  }
}
