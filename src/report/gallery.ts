import sharp from 'sharp'
import { at } from '../base/at.ts'
import { decodeImage } from '../host/node/decode.ts'
import { type Outcome, predictedOf } from '../train/outcomes.ts'

/** How many images a report holds for the cells of the confusion matrix: 240 take about 1.5 MB. */
export const mostImages = 240
/** How many of one cell. */
export const mostOfCell = 6
/** Width and height of such an image, in pixels. */
const side = 112

/** Images of one class that were taken for one class, the surest first. */
export interface Cell {
  readonly actual: number
  readonly predicted: number
  /** How many there are; only some of them are shown. */
  readonly count: number
  readonly shown: readonly Thumbnail[]
}

export interface Thumbnail {
  readonly name: string
  /** The probability of the predicted class. */
  readonly probability: number
  /** The middle of the image, as a data: URL. */
  readonly src: string
}

/** A cell, and its outcomes that are shown. */
export interface Pick extends Omit<Cell, 'shown'> {
  readonly outcomes: readonly Outcome[]
}

/**
 * Which images are shown for which cell of the confusion matrix: those predicted with the greatest
 * certainty, the same number for each cell, and where cells are too many, only of the most frequent
 * mistakes and the largest classes.
 */
export function pickCells(outcomes: readonly Outcome[]): readonly Pick[] {
  const cells = new Map<string, { actual: number; predicted: number; outcomes: Outcome[] }>()
  for (const outcome of outcomes) {
    const [actual, predicted] = [outcome.sample.label, predictedOf(outcome)]
    const key = `${actual} ${predicted}`
    const cell = cells.get(key) ?? { actual, predicted, outcomes: [] }
    cell.outcomes.push(outcome)
    cells.set(key, cell)
  }
  const all = [...cells.values()].sort(
    (a, b) =>
      Number(a.actual === a.predicted) - Number(b.actual === b.predicted) ||
      b.outcomes.length - a.outcomes.length,
  )
  const each = Math.min(mostOfCell, Math.max(1, Math.floor(mostImages / all.length)))
  const sureness = (outcome: Outcome) => at(outcome.probabilities, predictedOf(outcome))
  return all.slice(0, mostImages).map(({ actual, predicted, outcomes: inCell }) => ({
    actual,
    predicted,
    count: inCell.length,
    outcomes: inCell.sort((a, b) => sureness(b) - sureness(a)).slice(0, each),
  }))
}

/** Reads and shrinks the images of the cells. */
export async function drawCells(
  picks: readonly Pick[],
  onImage?: (done: number) => void,
): Promise<readonly Cell[]> {
  const cells: Cell[] = []
  let done = 0
  for (const { outcomes, ...cell } of picks) {
    const shown: Thumbnail[] = []
    for (const { sample, probabilities } of outcomes) {
      const { data, width, height } = await decodeImage(sample.source, sample.name)
      const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
        .resize(side, side)
        .jpeg({ quality: 75 })
        .toBuffer()
      const src = `data:image/jpeg;base64,${jpeg.toString('base64')}`
      shown.push({ name: sample.name, probability: Math.max(...probabilities), src })
      onImage?.(++done)
    }
    cells.push({ ...cell, shown })
  }
  return cells
}
