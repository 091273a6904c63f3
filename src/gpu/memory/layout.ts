/**
 * Which requests for memory share a buffer, for work that is repeated many times: a training step.
 * A request is identified by the layer that makes it, its size, and how many equal requests came
 * before it since the last submit.
 */
export interface Layout {
  /** The size of each buffer, in bytes. */
  readonly capacities: readonly number[]
  /** The index of each request's buffer. */
  readonly buffers: ReadonlyMap<string, number>
  /** The layers whose requests are in it. */
  readonly layers: ReadonlySet<string>
}

/** A storage, as far as its lifetime is concerned. */
interface Held {
  readonly bytes: number
}

/** A request, and when its buffer is held: from one point in time to another. */
interface Lifetime {
  readonly key: string
  readonly layer: string
  readonly bytes: number
  readonly from: number
  to: number
}

/** A buffer of the layout: its index, its size, and the requests that share it. */
interface SharedBuffer {
  readonly index: number
  readonly bytes: number
  readonly lifetimes: Lifetime[]
}

/**
 * Notes what is requested and given back, from submit to submit, and lays out the stretch between
 * two submits that needs the most memory.
 */
export class Lifetimes {
  #time = 0
  #present: Lifetime[] = []
  #held = new Map<Held, Lifetime>()
  #largest: readonly Lifetime[] = []

  take(storage: Held, key: string, layer: string | null): void {
    // Outside layers, as for inputs and targets, the next step may not ask for the same.
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

  giveBack(storage: Held): void {
    const lifetime = this.#held.get(storage)
    if (lifetime) lifetime.to = this.#time++
    this.#held.delete(storage)
  }

  /**
   * Ends a stretch. What is still held outlives the work and is left out: parameters, an
   * optimizer's state, the next input.
   */
  submit(): void {
    const own = this.#present.filter(({ to }) => to < this.#time)
    if (total(own) >= total(this.#largest)) this.#largest = own
    this.#present = []
    this.#held.clear()
  }

  /**
   * Takes the largest request first, of equal ones the one held longest, and gives each the
   * smallest buffer that is free all the while: greedy by size for shared objects (Pisarchyk & Lee
   * 2020, arXiv:2001.03288). No buffer is larger than its largest request, and their sum comes near
   * the most that is ever held at once.
   */
  layout(): Layout {
    const shared: SharedBuffer[] = []
    const buffers = new Map<string, number>()
    const largestFirst = [...this.#largest].sort(
      (a, b) => b.bytes - a.bytes || b.to - b.from - (a.to - a.from),
    )
    for (const lifetime of largestFirst) {
      let buffer = shared.findLast(({ lifetimes }) =>
        lifetimes.every(({ from, to }) => to < lifetime.from || lifetime.to < from),
      )
      if (!buffer) {
        buffer = { index: shared.length, bytes: lifetime.bytes, lifetimes: [] }
        shared.push(buffer)
      }
      buffer.lifetimes.push(lifetime)
      buffers.set(lifetime.key, buffer.index)
    }
    const layers = new Set(this.#largest.map(({ layer }) => layer))
    return { capacities: shared.map(({ bytes }) => bytes), buffers, layers }
  }
}

function total(lifetimes: readonly Lifetime[]): number {
  return lifetimes.reduce((sum, { bytes }) => sum + bytes, 0)
}
