/** What is on its way back from the device. */
interface Coming<Values> {
  /** Reads it. Those that are read together come back together. */
  readonly values: () => Promise<Values>
}

/**
 * Milliseconds of work that are read back together at the most, so that somebody sees how it goes
 * ten times a second or more.
 */
const interval = 100
/**
 * And so many at the most: the inputs of what is handed over but not done take memory of the
 * driver, and four times as many gain nothing.
 */
const most = 16
/**
 * How many times longer than the one before a row may be: what a single step took may be an
 * accident.
 */
const growth = 4

/**
 * Takes in what steps come to, in rows of as many as are done in a tenth of a second: one by one
 * where they are slow. While one row is on its way the next is handed over, so that the device
 * never waits for the host, nor the host for each step.
 */
export class ReadbackQueue<Values, Item extends Coming<Values>> {
  readonly #take: (item: Item, values: Values) => Promise<void>
  /** What is not asked for yet. */
  #row: Item[] = []
  /** What is on its way, the oldest first. */
  readonly #coming: { readonly item: Item; readonly values: Promise<Values> }[] = []
  #size = 1
  #last = performance.now()

  /** @param take what is done with each, in order; where it throws, the same one is met again */
  constructor(take: (item: Item, values: Values) => Promise<void>) {
    this.#take = take
  }

  /** Adds what was handed to the device, and waits for earlier ones where a row is full. */
  async add(item: Item): Promise<void> {
    this.#row.push(item)
    if (this.#row.length >= this.#size || performance.now() - this.#last >= interval)
      await this.#turn()
  }

  /** Waits for everything. */
  async drain(): Promise<void> {
    await this.#turn()
    await this.#turn()
  }

  /** Sends for the row, and takes in the one before it. */
  async #turn(): Promise<void> {
    const count = this.#coming.length
    for (const item of this.#row.splice(0)) {
      const values = item.values()
      // Errors are met where the values are awaited; until then they must not count as unhandled.
      values.catch(() => {})
      this.#coming.push({ item, values })
    }
    for (let i = 0; i < count; i++) {
      const [oldest] = this.#coming
      if (oldest) await this.#take(oldest.item, await oldest.values)
      this.#coming.shift()
    }
    const now = performance.now()
    if (count > 0)
      this.#size = Math.max(
        1,
        Math.min(most, growth * this.#size, Math.floor((interval * count) / (now - this.#last))),
      )
    this.#last = now
  }
}
