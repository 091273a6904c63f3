/** Part of the page's build: packs the images that come with it. */
import { readFile } from 'node:fs/promises'
import { BlobWriter, TextReader, Uint8ArrayReader, ZipWriter } from '@zip.js/zip.js/lib/zip-core.js'
import { at } from '../../base/at.ts'
import type { Sample } from '../../data/dataset.ts'
import { openEmoji } from '../../data/emoji.ts'
import { emojiLicense } from '../../data/node/emojiArchive.ts'

/** The classes of the sample images, chosen to be told apart in a minute. */
const classes = ['clock', 'face', 'flag', 'heart', 'person']
/** Images of each class to train on and hold out, and of each to try the result on. */
const [each, tried] = [36, 3]
/** Of what the network has not been taught: where it should say that it does not know. */
const [stranger, strangers] = ['building', 4]

/**
 * Emoji as a ZIP: `images/<class>/…` to train on, `try/…` to test with, and their licenses.
 * The images lie in it as they are; the same package gives the same bytes.
 */
export async function sampleArchive(): Promise<Uint8Array> {
  const data = await openEmoji()
  const ofClass = (name: string) => {
    const label = data.classes.indexOf(name)
    return [...data.train, ...data.val]
      .filter((sample) => sample.label === label)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }
  const zip = new ZipWriter(new BlobWriter('application/zip'), {
    useWebWorkers: false,
    level: 0,
    lastModDate: new Date(0),
  })
  const add = async (path: string, { source }: Sample) =>
    zip.add(path, new Uint8ArrayReader(await readFile(String(source))))
  for (const name of classes) {
    const chosen = spread(ofClass(name), each + tried)
    for (const [i, sample] of chosen.entries()) {
      const isTried = i % Math.ceil(chosen.length / tried) === 1
      await add(
        isTried ? `try/${name} ${baseOf(sample)}` : `images/${name}/${baseOf(sample)}`,
        sample,
      )
    }
  }
  for (const sample of spread(ofClass(stranger), strangers))
    await add(`try/${stranger} ${baseOf(sample)}`, sample)
  await zip.add('LICENSE', new TextReader(await emojiLicense()))
  return new Uint8Array(await (await zip.close()).arrayBuffer())
}

/** As many as wanted, evenly from the whole list. */
function spread<T>(list: readonly T[], wanted: number): T[] {
  const count = Math.min(wanted, list.length)
  return Array.from({ length: count }, (_, i) => at(list, Math.floor((i * list.length) / count)))
}

const baseOf = ({ name }: Sample) => name.slice(name.lastIndexOf('/') + 1)
