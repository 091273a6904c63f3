import { at } from '../../base/at.ts'

/** So many fellows tell what is usual. */
const [fewest, most] = [3, 50]
/** A job that takes so many times as long as its fellows is taken for one that hangs. */
const many = 5

/** How long jobs take, for each of their images: what a job that hangs is told by. */
export class Pace {
  readonly #latest: number[] = []
  readonly #shortest: number

  /** @param shortest no deadline is shorter, in milliseconds */
  constructor(shortest: number) {
    this.#shortest = shortest
  }

  /** A job of so many images took so many milliseconds. */
  note(milliseconds: number, images: number): void {
    this.#latest.push(milliseconds / Math.max(1, images))
    if (this.#latest.length > most) this.#latest.shift()
  }

  /** After so many milliseconds a job of so many images is late; infinite until pace is known. */
  deadline(images: number): number {
    if (this.#latest.length < fewest) return Number.POSITIVE_INFINITY
    const ordered = this.#latest.toSorted((a, b) => a - b)
    const median = at(ordered, Math.floor(ordered.length / 2))
    return Math.max(this.#shortest, many * median * Math.max(1, images))
  }
}
