/** Work that was handed to the device. */
interface Submitted<Values> {
  /** Reads its values back. Items whose values are requested together arrive together. */
  readonly values: () => Promise<Values>
}

/**
 * Milliseconds of work whose values are read back together, so that progress shows 10 times a
 * second.
 */
const interval = 100
/**
 * The most items that are read back together: the driver holds the inputs of what is submitted and
 * not done, and four times as many bring no gain.
 */
const maxGroup = 16
/** How many times larger than the last a group may be: the time of one step may be an outlier. */
const maxGrowth = 4

/**
 * Reads the values of steps back in groups that take about a tenth of a second: one by one where
 * steps are slow. While one group is being read the next one is submitted, so that the device never
 * waits for the host, nor the host for each step.
 */
export class ReadbackQueue<Values, Item extends Submitted<Values>> {
  readonly #handle: (item: Item, values: Values) => Promise<void>
  /** Items whose values are not requested yet. */
  #group: Item[] = []
  /** Items whose values are on their way, the oldest first. */
  readonly #reading: { readonly item: Item; readonly values: Promise<Values> }[] = []
  #size = 1
  #last = performance.now()

  /** @param handle called with each item's values, in order; if it throws, the item stays first */
  constructor(handle: (item: Item, values: Values) => Promise<void>) {
    this.#handle = handle
  }

  /** Adds an item that was submitted; if its group is full, waits for the group before it. */
  async add(item: Item): Promise<void> {
    this.#group.push(item)
    if (this.#group.length >= this.#size || performance.now() - this.#last >= interval)
      await this.#turn()
  }

  /** Waits for everything. */
  async drain(): Promise<void> {
    await this.#turn()
    await this.#turn()
  }

  /** Requests the values of the present group, and handles those of the one before it. */
  async #turn(): Promise<void> {
    const earlier = this.#reading.slice()
    for (const item of this.#group.splice(0)) {
      const values = item.values()
      // Errors surface where the values are awaited; until then they must not count as unhandled.
      values.catch(() => {})
      this.#reading.push({ item, values })
    }
    for (const { item, values } of earlier) {
      await this.#handle(item, await values)
      this.#reading.shift()
    }
    const now = performance.now()
    const count = earlier.length
    if (count > 0) {
      const fitting = Math.floor((interval * count) / (now - this.#last))
      this.#size = Math.max(1, Math.min(maxGroup, maxGrowth * this.#size, fitting))
    }
    this.#last = now
  }
}
