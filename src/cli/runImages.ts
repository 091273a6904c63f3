import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import type { ImageDataset, SampleList } from '../data/dataset.ts'
import type { RunConfig, RunImages } from '../train/runFolder.ts'
import type { Output } from './output.ts'

/** Which images a run trains and validates on, by their names. */
export function imagesOf({ train, val }: ImageDataset): RunImages {
  return { train: namesOf(train), val: namesOf(val) }
}

function namesOf(samples: SampleList): string {
  const hash = createHash('sha256')
  for (const { name } of samples) hash.update(name).update('\0')
  return hash.digest('hex')
}

/**
 * Warns where images came or went since a run was trained: those held out are drawn anew then, and
 * a figure of them flatters the network. With val/ in a folder of its own at most one of the two
 * parts changes at a time, and nothing moves between them.
 * @param dir where the images are; the run's own, or others that it may know nothing of
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
    `${dir} holds other images than when ${folder} was trained, so others are held out: some may be known from training; keep those to validate on apart, in train/ and val/`,
  )
}
