import type { Constants, Kernel } from '../kernels/kernel.ts'
import type { Storage } from './pool.ts'

/**
 * Which requests for memory share a buffer, for work that is done again and again: a training step.
 * Requests are known by the layer that makes them, their size, and their number among its equal
 * ones since the last submit.
 */
export interface Layout {
  /** What each buffer has, in bytes. */
  readonly capacities: readonly number[]
  /** The buffer of each request. */
  readonly buffers: ReadonlyMap<string, number>
  /** The layers whose requests it knows. */
  readonly layers: ReadonlySet<string>
}

/** What going through work without a device came to. */
export interface Rehearsal {
  /** What it would launch. */
  readonly kernels: readonly (readonly [Kernel, Constants])[]
  /** The most bytes that would be held, those already held included. */
  readonly peakBytes: number
  readonly layout: Layout
}

/** A request, and the time for which its buffer is held. */
interface Lifetime {
  readonly key: string
  readonly layer: string
  readonly bytes: number
  readonly from: number
  to: number
}

/**
 * Notes what is asked for and given back, from submit to submit, and lays out the stretch that
 * needs the most.
 */
export class Lifetimes {
  #time = 0
  #present: Lifetime[] = []
  #held = new Map<Storage, Lifetime>()
  #largest: readonly Lifetime[] = []

  take(storage: Storage, key: string, layer: string | null): void {
    // inputs, targets, what is kept beside a network: nobody says that the next step asks for the
    // same
    if (layer === null) return
    const lifetime = {
      key,
      layer,
      bytes: storage.bytes,
      from: this.#time++,
      to: Number.POSITIVE_INFINITY,
    }
    this.#present.push(lifetime)
    this.#held.set(storage, lifetime)
  }

  giveBack(storage: Storage): void {
    const lifetime = this.#held.get(storage)
    if (lifetime) lifetime.to = this.#time++
    this.#held.delete(storage)
  }

  /**
   * Ends a stretch. What is still held then is not the work's own: parameters, an optimizer's
   * state, the next input.
   */
  submit(): void {
    const own = this.#present.filter(({ to }) => to < this.#time)
    if (total(own) >= total(this.#largest)) this.#largest = own
    this.#present = []
    this.#held.clear()
  }

  /**
   * Largest first, of equal ones the longest held, each to the smallest buffer that is free all the
   * while: greedy by size for shared objects (Pisarchyk & Lee 2020, arXiv:2001.03288). No buffer is
   * larger than its largest tenant, and the sum comes near the most that is ever held at once.
   */
  layout(): Layout {
    const tenants: Lifetime[][] = []
    const buffers = new Map<string, number>()
    for (const lifetime of [...this.#largest].sort(
      (a, b) => b.bytes - a.bytes || b.to - b.from - (a.to - a.from),
    )) {
      const free = tenants.findLastIndex((others) =>
        others.every(({ from, to }) => to < lifetime.from || lifetime.to < from),
      )
      if (free < 0) tenants.push([lifetime])
      else tenants[free]?.push(lifetime)
      buffers.set(lifetime.key, free < 0 ? tenants.length - 1 : free)
    }
    const layers = new Set(this.#largest.map(({ layer }) => layer))
    return { capacities: tenants.map(([first]) => first?.bytes ?? 0), buffers, layers }
  }
}

function total(lifetimes: readonly Lifetime[]): number {
  return lifetimes.reduce((sum, { bytes }) => sum + bytes, 0)
}
