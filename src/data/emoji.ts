import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DataError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { type ArrayDataset, byCodeUnit, type Sample, type SampleList } from './dataset.ts'
import { type DataOptions, resolveSplit, splitByClass } from './split.ts'
import { openTarShards } from './tarShards.ts'

const PACKAGE = 'emoji-datasource-google'
/** In the npm package of Graft, the same images: see node/packEmoji.ts. */
const archive = new URL('emoji.tar', import.meta.url)

/** The demo's classes; each one joins some subcategories of the package's emoji.json. */
const SUBCATEGORIES: Readonly<Record<string, readonly string[]>> = {
  animal: ['animal-mammal', 'animal-bird', 'animal-bug', 'animal-marine', 'animal-reptile'],
  building: ['place-building'],
  clock: ['time'],
  clothing: ['clothing'],
  face: [
    'face-smiling',
    'face-affection',
    'face-tongue',
    'face-hand',
    'face-neutral-skeptical',
    'face-sleepy',
    'face-unwell',
    'face-concerned',
    'face-negative',
    'face-hat',
    'face-glasses',
    'cat-face',
  ],
  flag: ['country-flag'],
  food: ['food-fruit', 'food-vegetable', 'food-prepared', 'food-asian', 'food-sweet', 'drink'],
  heart: ['heart'],
  music: ['musical-instrument'],
  person: ['person-activity', 'person-role', 'person-sport'],
  plant: ['plant-flower', 'plant-other'],
  sky: ['sky & weather'],
  sport: ['sport'],
  tool: ['tool'],
  vehicle: ['transport-ground', 'transport-water', 'transport-air'],
}

interface EmojiEntry {
  readonly image: string
  readonly subcategory: string
  readonly has_img_google: boolean
}

function packageFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`))
  } catch (cause) {
    throw new DataError(`the emoji images are not installed: run npm install ${PACKAGE}@16`, {
      cause,
    })
  }
}

async function readEntries(folder: string): Promise<EmojiEntry[]> {
  try {
    return JSON.parse(await readFile(join(folder, 'emoji.json'), 'utf8')) as EmojiEntry[]
  } catch (cause) {
    throw new DataError(
      `${join(folder, 'emoji.json')} cannot be read: run npm install ${PACKAGE}@16 again`,
      { cause },
    )
  }
}

/**
 * Opens the images of the npm package `emoji-datasource-google` (MIT and Apache 2.0; 64x64 PNG) as
 * a dataset of 15 classes: the emoji of version 16 whose subcategory belongs to one of the classes,
 * without their skin-tone variants. These are 1,157 images. A quarter of each class, 291 images in
 * all, is held out by the seed, as `openImageFolder` does.
 *
 * @param options.seed a non-negative safe integer, 0 unless given
 * @throws DataError if the package is missing, with the command that installs it
 * @throws UsageError for any other seed
 * @example
 * const data = await openEmoji()
 * console.log(data.classes)   // ['animal', 'building', 'clock', …]
 */
export async function openEmoji(options: { readonly seed?: number } = {}): Promise<ArrayDataset> {
  checkOptions('openEmoji', options, ['seed'])
  const { split, seed } = resolveSplit('openEmoji', options)
  if (existsSync(archive)) return openPacked(fileURLToPath(archive), options)
  const root = packageFolder()
  const entries = (await readEntries(root)).filter((entry) => entry.has_img_google)
  const sorted = Object.entries(SUBCATEGORIES).sort(([a], [b]) => byCodeUnit(a, b))
  const samples = sorted.map(([name, wanted], label) =>
    entries
      .filter((entry) => wanted.includes(entry.subcategory))
      .map(
        ({ image }): Sample => ({
          source: join(root, 'img', 'google', '64', image),
          name: `${name}/${image}`,
          label,
        }),
      ),
  )
  const classes = sorted.map(([name]) => name)
  return { root, classes, ...splitByClass(classes, samples, split, seed) }
}

/** Opens the emoji in the archive that `emojiArchive` makes. */
export async function openPacked(path: string, options: DataOptions = {}): Promise<ArrayDataset> {
  const data = await openTarShards(path, options)
  const named = (samples: SampleList) =>
    Array.from(samples, (sample) => ({ ...sample, name: sample.name.replace(/^.*\.tar\//, '') }))
  return { ...data, train: named(data.train), val: named(data.val) }
}
