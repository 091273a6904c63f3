import { DataError } from '../base/errors.ts'
import { counted } from '../base/format.ts'
import { type Copy, findCopies } from '../data/copies.ts'
import type { ImageDataset, SampleList } from '../data/dataset.ts'
import type { Output } from './output.ts'

/** The JSON event names this many of the copies. */
const named = 100

/**
 * Names images that are trained on and validated with, or that are in two classes.
 * @returns the sizes of all images in bytes, those to train on first
 * @throws DataError for the first of them if `strict`
 */
export async function checkCopies(
  output: Output,
  data: ImageDataset,
  strict = false,
): Promise<Float64Array> {
  const { validated, labeled, unread, sizes } = await findCopies(data)
  const remarks = [
    ...(validated.length > 0
      ? [
          `${counted(validated.length, 'image')} to validate ${are(validated)} also trained on, ` +
            `byte for byte, ${such(validated)}: the accuracy will look better than it is; ` +
            'keep one of each',
        ]
      : []),
    ...(labeled.length > 0
      ? [
          `${counted(labeled.length, 'image')} ${are(labeled)} in two classes, byte for byte, ` +
            `${such(labeled)}: keep the right one`,
        ]
      : []),
  ]
  const [first] = remarks
  if (strict && first) throw new DataError(`${data.root}: ${first}`)
  for (const remark of remarks) output.warn(remark)
  if (unread > 0)
    output.line(`${counted(unread, 'image')} of equal size were not searched for copies: too many`)
  if (first)
    output.event({
      type: 'copies',
      validated: validated.length,
      labeled: labeled.length,
      examples: { validated: validated.slice(0, named), labeled: labeled.slice(0, named) },
    })
  return sizes
}

/**
 * Warns where a test set has images that a run was trained on.
 * @param trained the images that it was trained on
 */
export async function warnOfTrained(
  output: Output,
  trained: SampleList,
  tested: SampleList,
): Promise<void> {
  const { validated } = await findCopies({ train: trained, val: tested })
  if (validated.length > 0)
    output.warn(
      `${counted(validated.length, 'image')} ${are(validated)} among those that the run was ` +
        `trained on, byte for byte, ${such(validated)}: the accuracy looks better than it is`,
    )
}

const are = ({ length }: readonly Copy[]) => (length === 1 ? 'is' : 'are')

/** In two folders both may have one name. */
function such([first]: readonly Copy[]): string {
  if (!first) return ''
  return first.name === first.of
    ? `such as ${first.name} in both`
    : `such as ${first.name} and ${first.of}`
}
