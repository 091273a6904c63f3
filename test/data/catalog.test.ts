import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DataError } from '../../src/base/errors.ts'
import { Catalog } from '../../src/data/catalog.ts'
import { countByClass, joined, type SampleList } from '../../src/data/dataset.ts'
import { decodeAhead } from '../../src/data/loader.ts'
import { openData } from '../../src/data/openData.ts'
import { decodeImage } from '../../src/host/node/decode.ts'
import { linkedFolder } from '../support/linkedFolder.ts'
import { useTempFolder } from './images.ts'

const inTemp = useTempFolder()
const half = { split: 0.5, seed: 1 }
const names = (samples: SampleList) => Array.from(samples, ({ name }) => name)

/** Images of two classes, by turns. */
function catalogOf(
  images: readonly string[],
  part: (i: number) => 'train' | 'val' | null = () => null,
): Catalog {
  const catalog = new Catalog((name, row) => `${row}:${name}`)
  for (const [i, name] of images.entries()) catalog.add(name, i % 2, part(i))
  return catalog
}

describe('Catalog', () => {
  it('gives every image back with its name, label and source, whatever its name', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 0, maxLength: 300 })
      .filter((text) => !/\p{Surrogate}/u.test(text))
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 4, maxLength: 60 }), (images) => {
        const data = catalogOf(images).divide('root', ['a', 'b'], half)
        const all = [...data.train, ...data.val]
        expect(all.map((sample) => sample.name).sort()).toEqual([...images].sort())
        for (const { name, label, source } of all) {
          const row = images.indexOf(name)
          expect([label, source]).toEqual([row % 2, `${row}:${name}`])
        }
      }),
    )
  })

  it('is read by place and from front to back, alone and behind another', () => {
    const { train, val } = catalogOf(['d', 'c', 'b', 'a', 'f', 'e']).divide(
      'root',
      ['x', 'y'],
      half,
    )
    expect(Array.from({ length: train.length }, (_, i) => train.at(i)?.name)).toEqual(names(train))
    expect([train.at(train.length), train.at(-1)]).toEqual([undefined, undefined])
    const both = joined(train, val)
    expect(names(both)).toEqual([...names(train), ...names(val)])
    expect(Array.from({ length: both.length }, (_, i) => both.at(i)?.name)).toEqual(names(both))
    expect(countByClass(both, 2)).toEqual([3, 3])
  })

  it('divides as its images say, class after class and by name', () => {
    const data = catalogOf(['d', 'c', 'b', 'a'], (i) => (i < 2 ? 'val' : 'train')).divide(
      'root',
      ['x', 'y'],
      half,
    )
    expect([names(data.train), names(data.val)]).toEqual([
      ['b', 'a'],
      ['d', 'c'],
    ])
  })

  it('refuses images of which only some say it', () => {
    const some = catalogOf(['a', 'b', 'c', 'd'], (i) => (i === 2 ? null : 'train'))
    expect(() => some.divide('root', ['x', 'y'], half)).toThrow(
      new DataError(
        'root: c is neither in train nor in val, though others are: put it into one of them',
      ),
    )
  })

  it('takes less than 100 bytes for an image', () => {
    const before = process.memoryUsage().arrayBuffers
    const catalog = new Catalog((name) => name)
    const count = 300_000
    for (let i = 0; i < count; i++) catalog.add(`train/class ${i % 1000}/image ${i}.jpg`, i % 1000)
    // And as much that it has outgrown.
    expect((process.memoryUsage().arrayBuffers - before) / count).toBeLessThan(100 + 100)
    expect(catalog.name(count - 1)).toBe('train/class 999/image 299999.jpg')
  })
})

it('a folder of many images streams in random order', async () => {
  await linkedFolder(inTemp('many'), 2000, 20)
  const data = await openData(inTemp('many'), { split: 0.1 })
  expect([data.classes.length, data.train.length, data.val.length]).toEqual([20, 1800, 200])
  const order = Array.from({ length: 60 }, (_, i) => (i * 1087) % 1800)
  const seen: string[] = []
  for await (const { sample, image } of decodeAhead(data.train, order, {
    decode: decodeImage,
    onBroken: (_, error) => {
      throw error
    },
  })) {
    expect([image.width, image.height, sample.name.split('/')[0]]).toEqual([
      64,
      64,
      data.classes[sample.label],
    ])
    seen.push(sample.name)
  }
  expect(seen).toEqual(order.map((index) => data.train.at(index)?.name))
})
