import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import { countByClass, type ImageDataset } from '../data/dataset.ts'
import type { Skipped } from './events.ts'

/** Stops training once every training image of a class has turned out to be broken. */
export class BrokenClasses {
  readonly #data: ImageDataset
  readonly #left: number[]

  constructor(data: ImageDataset) {
    this.#data = data
    this.#left = countByClass(data.train, data.classes.length)
  }

  /** @throws DataError naming a class that has no image left */
  note({ split, label }: Skipped): void {
    if (split !== 'train') return
    const left = at(this.#left, label) - 1
    this.#left[label] = left
    if (left === 0)
      throw new DataError(
        `none of the training images of the class "${this.#data.classes[label]}" can be decoded: ` +
          'replace them, or remove the class',
      )
  }
}
