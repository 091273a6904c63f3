import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { DataError } from '../base/errors.ts'
import type { ImageDataset, SampleList } from '../data/dataset.ts'
import { openData } from '../data/openData.ts'
import { ignoring } from '../data/split.ts'
import type { RunConfig, RunImages } from '../train/runFolder.ts'
import type { Output } from './output.ts'

/** Digests of the names of the images that a run trains and validates on. */
export function imagesOf({ train, val }: ImageDataset): RunImages {
  return { train: digestOf(train), val: digestOf(val) }
}

function digestOf(samples: SampleList): string {
  const hash = createHash('sha256')
  for (const { name } of samples) hash.update(name).update('\0')
  return hash.digest('hex')
}

/** Opens images; without train/ and val/ they are split as for the run's training. */
export function openAsTrained(dir: string, { options }: RunConfig): Promise<ImageDataset> {
  const { split, seed }: Readonly<Record<string, unknown>> = options
  const division = {
    ...(typeof split === 'number' ? { split } : {}),
    ...(typeof seed === 'number' ? { seed } : {}),
  }
  return openData(dir, ignoring(division, ['split', 'seed']))
}

/** @throws DataError where the images have other classes than the run */
export function requireSameClasses(
  folder: string,
  classes: readonly string[],
  data: ImageDataset,
): void {
  const missing = classes.filter((name) => !data.classes.includes(name))
  const extra = data.classes.filter((name) => !classes.includes(name))
  const differences = [
    ...(missing.length ? [`it lacks ${missing.join(', ')}`] : []),
    ...(extra.length ? [`the run does not know ${extra.join(', ')}`] : []),
  ]
  if (differences.length)
    throw new DataError(`${data.root} has other classes than ${folder}: ${differences.join('; ')}`)
}

/**
 * Warns where images were added or removed since the run was trained: another part of them is held
 * out then, and images known from training make the accuracy look better than it is. With val/ in a
 * folder of its own at most one of the two parts changes, and nothing moves between them.
 * @param dir where the images are; of other images than the run's own nothing is known
 */
export function warnOfOtherImages(
  output: Output,
  folder: string,
  dir: string,
  { pictures, options }: RunConfig,
  data: ImageDataset,
): void {
  if (!pictures || options.data !== resolve(dir)) return
  const now = imagesOf(data)
  if (now.train === pictures.train || now.val === pictures.val) return
  output.warn(
    `${dir} holds other images than when ${folder} was trained, so others are held out: ` +
      'some may be known from training; keep those to validate on apart, in train/ and val/',
  )
}
