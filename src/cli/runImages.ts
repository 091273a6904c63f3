import { createHash } from 'node:crypto'
import { DataError, UsageError } from '../base/errors.ts'
import { wellFormed } from '../base/wellFormed.ts'
import { type ImageDataset, type SampleList, withClassesOf } from '../data/dataset.ts'
import { openEmoji } from '../data/emoji.ts'
import { openData } from '../data/openData.ts'
import { ignoring } from '../data/split.ts'
import type { RunConfig, RunImages } from '../train/runFolder.ts'
import { recordedPlace } from './dataPlace.ts'
import type { Output } from './output.ts'
import { nextCommand } from './shell.ts'

/**
 * Which images a run trains and validates on.
 * @param sizes of the files of both parts, in bytes
 */
export function imagesOf(data: ImageDataset, sizes: Float64Array): RunImages {
  const { buffer, byteOffset, byteLength } = sizes
  const bytes = new Uint8Array(buffer, byteOffset, byteLength)
  return { ...namesOf(data), sizes: createHash('sha256').update(bytes).digest('hex') }
}

function namesOf({ train, val }: ImageDataset): Pick<RunImages, 'train' | 'val'> {
  return { train: digestOf(train), val: digestOf(val) }
}

function digestOf(samples: SampleList): string {
  const hash = createHash('sha256')
  for (const { name } of samples) hash.update(wellFormed(name.normalize('NFC'))).update('\0')
  return hash.digest('hex')
}

/** Opens images; without train/ and val/ they are split as for the run's training. */
function openAsTrained(dir: string, { options }: RunConfig): Promise<ImageDataset> {
  const { split, seed }: Readonly<Record<string, unknown>> = options
  const division = {
    ...(typeof split === 'number' ? { split } : {}),
    ...(typeof seed === 'number' ? { seed } : {}),
  }
  return openData(dir, ignoring(division, ['split', 'seed']))
}

/**
 * Opens images to measure a run on, with its classes. Its own images are divided as for its
 * training; of others all are taken, unless they say themselves which are for validation: a test
 * set may lack classes, or have one image of one.
 * @param part the one that a person asked for
 * @throws DataError for classes that the run does not know
 */
async function openToMeasure(
  dir: string,
  folder: string,
  config: RunConfig,
  part?: 'train' | 'val' | 'all',
): Promise<ImageDataset> {
  const opened = await openFor(dir, config, part)
  return withClassesOf(opened, config.classes, folder, 'run')
}

/**
 * Opens the images that are named to a command, else those that the run was trained with.
 * @param command its name, for the message
 * @throws UsageError where the run does not record where its images are
 */
export async function openRunData(
  command: string,
  dir: string | undefined,
  folder: string,
  config: RunConfig,
  part?: 'train' | 'val' | 'all',
): Promise<ImageDataset> {
  const { data, seed } = config.options
  if (dir === undefined && data === 'emoji')
    return openEmoji(typeof seed === 'number' ? { seed } : {})
  const path = dir ?? (typeof data === 'string' ? data : undefined)
  if (path === undefined)
    throw new UsageError(
      `${folder} does not record where its images are: ` +
        `name them with '${nextCommand(command, folder, 'DIR')}'`,
    )
  return openToMeasure(path, folder, config, part)
}

async function openFor(
  dir: string,
  config: RunConfig,
  part: 'train' | 'val' | 'all' | undefined,
): Promise<ImageDataset> {
  const trained =
    part === 'all'
      ? null
      : await openAsTrained(dir, config).catch((error: unknown) => {
          if (error instanceof DataError) return error
          throw error
        })
  const opens = trained !== null && !(trained instanceof DataError)
  if (opens && (part !== undefined || isOwn(trained, dir, config))) return trained
  const whole = await openData(dir, { testSet: true })
  if (part !== 'all' && part !== undefined && !opens && whole.train.length === 0 && trained)
    throw trained
  return whole
}

/** The images that a run was trained on, if they are elsewhere than those to measure, and there. */
export async function trainedOn(dir: string, config: RunConfig): Promise<ImageDataset | null> {
  const { data } = config.options
  if (typeof data !== 'string' || data === recordedPlace(dir)) return null
  return openAsTrained(data, config).catch(() => null)
}

/** Whether images are those that a run was trained with, perhaps in another place. */
function isOwn(data: ImageDataset, dir: string, { pictures, options }: RunConfig): boolean {
  if (!pictures || options.data === recordedPlace(dir)) return true
  const now = namesOf(data)
  return now.train === pictures.train && now.val === pictures.val
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
  if (!pictures || options.data !== recordedPlace(dir)) return
  const now = namesOf(data)
  if (now.train === pictures.train || now.val === pictures.val) return
  output.warn(otherImages(folder, dir))
}

function otherImages(folder: string, dir: string): string {
  return (
    `${dir} holds other images than when ${folder} was trained, so others are held out: ` +
    'some may be known from training; keep those to validate on apart, in train/ and val/'
  )
}

/** Says before a resumed training which of its images are others than before. */
export function describeChanges(
  output: Output,
  folder: string,
  dir: string,
  { pictures: before, options }: RunConfig,
  now: RunImages,
): void {
  if (!before) return
  const [train, val] = [now.train !== before.train, now.val !== before.val]
  if (train && val && options.data === recordedPlace(dir)) {
    output.warn(otherImages(folder, dir))
    return
  }
  const which = train && val ? 'images' : train ? 'images to train on' : 'images to validate'
  const changed =
    train || val
      ? `the ${which} are others than when ${folder} was trained`
      : before.sizes !== undefined && now.sizes !== before.sizes
        ? `some files have other sizes than when ${folder} was trained: they were changed`
        : null
  if (changed === null) return
  output.labeled('changed', `${changed}; it goes on with those that are there now`)
  output.event({ type: 'remark', message: changed })
}
