import { link, mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { Random } from '../../src/base/random.ts'

/** Links to one file: file systems allow some tens of thousands. */
const linksEach = 10_000

/**
 * Writes a folder of many images that take the room of a few: hard links to 64x64 JPEGs of noise.
 * A folder that is there already is left as it is.
 * @param classes folders, images divided evenly among them
 * @param different how many images differ from each other
 */
export async function linkedFolder(
  folder: string,
  count: number,
  classes = 100,
  different = Math.max(16, Math.ceil(count / linksEach)),
): Promise<void> {
  if (await stat(folder).catch(() => null)) return
  const originals = join(folder, '.originals')
  await mkdir(originals, { recursive: true })
  const random = new Random(1)
  for (let i = 0; i < different; i++) {
    const noise = Buffer.from(Uint8Array.from({ length: 3 * 8 * 8 }, () => random.below(256)))
    const image = sharp(noise, { raw: { width: 8, height: 8, channels: 3 } }).resize(64, 64)
    await writeFile(join(originals, `${i}.jpg`), await image.jpeg({ quality: 80 }).toBuffer())
  }
  for (let c = 0; c < classes; c++) {
    const inside = join(folder, `class ${String(c).padStart(3, '0')}`)
    await mkdir(inside)
    const numbers = Array.from(
      { length: Math.ceil((count - c) / classes) },
      (_, i) => c + i * classes,
    )
    for (const n of numbers)
      await link(
        join(originals, `${n % different}.jpg`),
        join(inside, `${String(n).padStart(7, '0')}.jpg`),
      )
  }
}
