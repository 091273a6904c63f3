import { at } from '../base/at.ts'
import { DataError, UsageError } from '../base/errors.ts'
import { option, optionText } from '../base/optionText.ts'
import { PassedOver } from '../host/imageFormat.ts'
import { Column } from './column.ts'
import {
  byCodeUnit,
  type ImageDataset,
  type Sample,
  type SampleList,
  type Source,
} from './dataset.ts'
import { PackedStrings } from './packedStrings.ts'
import { type Division, heldOut } from './split.ts'

/** Which part of a dataset an image belongs to, where the dataset itself says so. */
export type Part = 'train' | 'val'

const parts: readonly Part[] = ['train', 'val']
const undivided = parts.length
const leftOut = parts.length + 1

/**
 * The images of a dataset in a few dozen bytes each: their names one after the other as UTF-8,
 * labels and parts as numbers. Where an image is stored follows from its name or its row.
 */
export class Catalog {
  readonly #sourceOf: (name: string, row: number) => Source
  readonly #names = new PackedStrings()
  readonly #labels = new Column(new Uint32Array(1024))
  readonly #parts = new Column(new Uint8Array(1024))
  /** Images in formats that Graft does not read. */
  readonly passedOver = new PassedOver()
  /** The remarks of the dataset that this becomes. */
  readonly remarks: string[] = []

  /** @param sourceOf where the image of a name and row is stored */
  constructor(sourceOf: (name: string, row: number) => Source) {
    this.#sourceOf = sourceOf
  }

  get length(): number {
    return this.#labels.length
  }

  /** @param part null if a seeded share of each class will be held out */
  add(name: string, label: number, part: Part | null = null): void {
    this.#names.push(name)
    this.#labels.push(label)
    this.#parts.push(part === null ? undivided : parts.indexOf(part))
  }

  name(row: number): string {
    return this.#names.at(row)
  }

  sample(row: number): Sample {
    const name = this.name(row)
    return { source: this.#sourceOf(name, row), name, label: this.#labels.at(row) }
  }

  /**
   * Gives every image its label and part once they are known.
   * @param places by the labels that the images were added with; null leaves the images out
   */
  place(places: readonly ({ readonly label: number; readonly part: Part | null } | null)[]): void {
    let row = 0
    this.#parts.map(() => {
      const place = at(places, this.#labels.at(row++))
      if (!place) return leftOut
      return place.part === null ? undivided : parts.indexOf(place.part)
    })
    this.#labels.map((label) => at(places, label)?.label ?? label)
  }

  /**
   * Renumbers the classes in the order of their names.
   * @param names the class names, indexed by the labels that the images were added with
   * @returns the sorted names
   */
  sortClasses(names: readonly string[]): string[] {
    const sorted = [...names.entries()].sort(([, a], [, b]) => byCodeUnit(a, b))
    const newLabels = new Uint32Array(names.length)
    for (const [place, [label]] of sorted.entries()) newLabels[label] = place
    this.#labels.map((label) => at(newLabels, label))
    return sorted.map(([, name]) => name)
  }

  /**
   * Makes a dataset: divided by the parts that the images were added with, or, if they have none,
   * by a seeded share of each class. Both parts are sorted by class, then by name. A test set
   * without parts is all for validation, and classes without images are none of it.
   * @param named the names of the classes, indexed by the labels
   * @throws DataError for fewer than two classes, a class in only one part, one too small to
   * divide, or some images with and some without a part
   * @throws UsageError if the images have parts, and a person decided how to divide them
   */
  divide(
    root: string,
    named: readonly string[],
    { split, seed, decided = [], testSet = false }: Division,
  ): ImageDataset {
    const classes = testSet ? this.#withImages(named) : named
    if (!testSet || classes.length === 0) requireTwoClasses(root, classes)
    const unsaid = this.#needsSplit(root)
    const toSplit = unsaid && !testSet
    const [needless] = toSplit ? [] : decided
    if (needless)
      throw new UsageError(
        testSet
          ? optionText`nothing is held out of a test set: leave ${option(needless)} out`
          : optionText`${root} says itself which images are for validation: leave
              ${option(needless)} out`,
      )
    const picked: [number[], number[]] = [[], []]
    const present: [Set<string>, Set<string>] = [new Set(), new Set()]
    for (const [label, ofClass] of this.#rowsByClass(classes.length).entries()) {
      const name = at(classes, label)
      const held = toSplit ? heldOut(name, label, ofClass.length, split, seed) : null
      for (const [i, row] of ofClass.entries()) {
        const part = held ? Number(held[i]) : unsaid ? parts.indexOf('val') : this.#parts.at(row)
        picked[part as 0 | 1].push(row)
        present[part as 0 | 1].add(name)
      }
    }
    if (!testSet) requireSameClasses(root, [...present[0]], [...present[1]])
    const [train, val] = picked.map((rows) => new Selection(this, rows)) as [Selection, Selection]
    const { passedOver } = this
    const remarks = [...this.remarks, ...similarNames(classes)]
    return { root, classes, train, val, passedOver: passedOver.counts, remarks }
  }

  /** The classes that have images, numbered anew. */
  #withImages(named: readonly string[]): string[] {
    const used = this.#rowsByClass(named.length).map((rows) => rows.length > 0)
    const numbers = used.map((_, label) => used.slice(0, label).filter(Boolean).length)
    this.#labels.map((label) => at(numbers, label))
    return named.filter((_, label) => used[label])
  }

  /** Whether the images have no parts; either all have one, or none. */
  #needsSplit(root: string): boolean {
    let first = -1
    let [without, divided] = [0, 0]
    for (let row = 0; row < this.length; row++) {
      if (this.#parts.at(row) === undivided && without++ === 0) first = row
      if (this.#parts.at(row) < undivided) divided++
    }
    if (without > 0 && divided > 0)
      throw new DataError(
        `${root}: ${this.name(first)} is neither in train nor in val, though others are: ` +
          'put it into one of them',
      )
    return without > 0
  }

  /**
   * The rows of each class, sorted by name. File systems keep one name in different forms of
   * Unicode: the order is that of the composed one.
   */
  #rowsByClass(classes: number): number[][] {
    const rows: number[][] = Array.from({ length: classes }, () => [])
    for (let row = 0; row < this.length; row++)
      if (this.#parts.at(row) !== leftOut) at(rows, this.#labels.at(row)).push(row)
    for (const ofClass of rows) {
      const named = ofClass
        .map((row) => {
          const name = this.name(row)
          return { row, name, composed: name.normalize('NFC') }
        })
        .sort((a, b) => byCodeUnit(a.composed, b.composed) || byCodeUnit(a.name, b.name))
      for (const [i, { row }] of named.entries()) ofClass[i] = row
    }
    return rows
  }
}

/** Some rows of a catalog, in a given order. */
class Selection implements SampleList {
  readonly #catalog: Catalog
  readonly #rows: Uint32Array

  constructor(catalog: Catalog, rows: readonly number[]) {
    this.#catalog = catalog
    this.#rows = Uint32Array.from(rows)
  }

  get length(): number {
    return this.#rows.length
  }

  at(index: number): Sample | undefined {
    const row = this.#rows[index]
    return row === undefined ? undefined : this.#catalog.sample(row)
  }

  *[Symbol.iterator](): Iterator<Sample> {
    for (const row of this.#rows) yield this.#catalog.sample(row)
  }
}

function namedClasses(names: readonly string[]): string {
  const [only, ...others] = names.map((name) => `"${name}"`)
  if (others.length === 0) return `the class ${only} is`
  const shown = [only, ...others].slice(0, 5).join(', ')
  return names.length > 5
    ? `the classes ${shown} and ${names.length - 5} more are`
    : `the classes ${shown} are`
}

/** @throws DataError naming the only class, or that there is none */
export function requireTwoClasses(root: string, classes: readonly string[]): void {
  if (classes.length === 0) throw new DataError(`${root} holds no image (JPEG, PNG or WebP)`)
  if (classes.length < 2)
    throw new DataError(
      `${root} has only one class, "${classes[0]}": add images of at least one more`,
    )
}

/** A remark on classes whose names a person would hardly tell apart. */
function similarNames(classes: readonly string[]): string[] {
  const groups = new Map<string, string[]>()
  for (const name of classes) {
    const key = name.normalize('NFKC').replace(/\s+/g, ' ').trim().toLowerCase()
    groups.set(key, [...(groups.get(key) ?? []), `"${name}"`])
  }
  return [...groups.values()]
    .filter((names) => names.length > 1)
    .map((names) => `${names.join(' and ')} are different classes, though their names look alike`)
}

/**
 * @param mark what follows the parts' names in messages: '/' if they are folders
 * @throws DataError naming the classes that are in only one of the two parts
 */
export function requireSameClasses(
  root: string,
  train: readonly string[],
  val: readonly string[],
  mark = '',
): void {
  const lacking = (names: readonly string[], others: readonly string[]) => {
    const known = new Set(others)
    return names.filter((name) => !known.has(name))
  }
  const onlyVal = lacking(val, train)
  if (onlyVal.length > 0)
    throw new DataError(
      `${root}: ${namedClasses(onlyVal)} in val${mark} but not in train${mark}: ` +
        `add images to train on, or remove from val${mark}`,
    )
  const onlyTrain = lacking(train, val)
  if (onlyTrain.length > 0)
    throw new DataError(
      `${root}: ${namedClasses(onlyTrain)} in train${mark} but not in val${mark}: ` +
        `add images to validate on, or remove from train${mark}`,
    )
}
