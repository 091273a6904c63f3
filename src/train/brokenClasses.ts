import { DataError } from '../base/errors.ts'
import { countByClass, type ImageDataset } from '../data/dataset.ts'
import type { Skipped } from './events.ts'

/** Ends training once every image to train on of a class has turned out broken. */
export class BrokenClasses {
  readonly #data: ImageDataset
  readonly #left: number[]

  constructor(data: ImageDataset) {
    this.#data = data
    this.#left = countByClass(data.train, data.classes.length)
  }

  /** @throws DataError naming the class of which no image is left */
  note({ split, label }: Skipped): void {
    if (split !== 'train') return
    const left = (this.#left[label] ?? 0) - 1
    this.#left[label] = left
    if (left === 0)
      throw new DataError(
        `none of the images to train on of the class "${this.#data.classes[label]}" can be decoded: replace them, or remove the class`,
      )
  }
}
