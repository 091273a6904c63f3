import sharp from 'sharp'
import { Random } from '../../src/base/random.ts'
import type { ArrayDataset, Sample } from '../../src/data/dataset.ts'

const drawings: Readonly<Record<string, (x: number, y: number, r: number) => string>> = {
  circle: (x, y, r) => `<circle cx="${x}" cy="${y}" r="${r}"/>`,
  square: (x, y, r) => `<rect x="${x - r}" y="${y - r}" width="${2 * r}" height="${2 * r}"/>`,
  stripes: (x, y, r) =>
    [0, 1, 2]
      .map((i) => `<rect x="${x - r}" y="${y - r + i * r}" width="${2 * r}" height="${r / 3}"/>`)
      .join(''),
}

/**
 * PNG images of three kinds of drawings, of random place, size and color: a dataset that a network
 * can learn and nobody owns.
 */
export async function drawnShapes({
  train = 8,
  val = 4,
  side = 64,
  seed = 1,
} = {}): Promise<ArrayDataset> {
  const random = new Random(seed)
  const classes = Object.keys(drawings).sort()
  const part = async (split: string, each: number): Promise<Sample[]> =>
    Promise.all(
      classes.flatMap((name, label) =>
        Array.from({ length: each }, async (_, i) => {
          const r = side * (0.15 + 0.15 * random.uniform())
          const place = () => r + (side - 2 * r) * random.uniform()
          const shape = drawings[name]?.(place(), place(), r) ?? ''
          const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}" fill="hsl(${random.below(360)},80%,40%)"><rect width="100%" height="100%" fill="hsl(${random.below(360)},30%,90%)"/>${shape}</svg>`
          return {
            source: new Uint8Array(await sharp(Buffer.from(svg)).png().toBuffer()),
            name: `${split}/${name}/${i}.png`,
            label,
          }
        }),
      ),
    )
  return {
    root: 'drawn shapes',
    classes,
    train: await part('train', train),
    val: await part('val', val),
  }
}
