import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { at } from '../../src/base/at.ts'
import { UsageError } from '../../src/base/errors.ts'
import type * as Emoji from '../../src/data/emoji.ts'
import { openEmoji, openPacked } from '../../src/data/emoji.ts'
import { emojiArchive } from '../../src/data/node/emojiArchive.ts'
import { decodeImage } from '../../src/host/node/decode.ts'

const SIZES = {
  animal: 129,
  building: 27,
  clock: 31,
  clothing: 47,
  face: 119,
  flag: 259,
  food: 124,
  heart: 25,
  music: 12,
  person: 182,
  plant: 29,
  sky: 47,
  sport: 27,
  tool: 27,
  vehicle: 72,
}

describe('openEmoji', () => {
  it('has fifteen classes and 866 + 291 images', async () => {
    const data = await openEmoji()
    expect(data.classes).toEqual(Object.keys(SIZES))
    expect([data.train.length, data.val.length]).toEqual([866, 291])
    for (const [label, size] of Object.values(SIZES).entries()) {
      const held = data.val.filter((sample) => sample.label === label).length
      expect(held).toBe(Math.round(size / 4))
      expect(held + data.train.filter((sample) => sample.label === label).length).toBe(size)
    }
  })

  it('names each image once, by class and file, and every file is there', async () => {
    const data = await openEmoji()
    const all = [...data.train, ...data.val]
    expect(new Set(all.map((sample) => sample.name)).size).toBe(1157)
    for (const { name, source, label } of all) {
      expect(name.split('/')[0]).toBe(data.classes[label])
      expect(typeof source === 'string' && existsSync(source)).toBe(true)
    }
    expect(all.map((sample) => sample.name)).toContain('animal/1f436.png')
  })

  it('decodes to 64x64 on white', async () => {
    const { val } = await openEmoji()
    for (const { source } of val.slice(0, 40)) {
      const { width, height, data } = await decodeImage(source)
      expect([width, height]).toEqual([64, 64])
      expect([...data.subarray(0, 3)]).toEqual([255, 255, 255])
    }
  })

  it('divides by the seed', async () => {
    const first = await openEmoji({ seed: 0 })
    expect(await openEmoji()).toEqual(first)
    expect((await openEmoji({ seed: 1 })).val).not.toEqual(first.val)
    await expect(openEmoji({ seed: -1 })).rejects.toThrow(UsageError)
  })
})

describe('packed into one archive', () => {
  it('they are the same images, divided alike', async () => {
    const own = await openEmoji({ seed: 3 })
    const folder = await mkdtemp(join(tmpdir(), 'graft-emoji-'))
    try {
      const path = join(folder, 'emoji.tar')
      await writeFile(path, await emojiArchive(own))
      const packed = await openPacked(path, { seed: 3 })
      expect(packed.classes).toEqual(own.classes)
      for (const part of ['train', 'val'] as const) {
        const labeled = (samples: typeof own.train) =>
          samples.map(({ name, label }) => [name, label])
        expect(labeled(packed[part])).toEqual(labeled(own[part]))
      }
      const [mine, theirs] = await Promise.all(
        [packed, own].map(({ val }) => decodeImage(at(val, 7).source)),
      )
      expect(mine).toEqual(theirs)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('without the package', () => {
  afterEach(() => {
    vi.doUnmock('node:module')
  })

  it('says how to install it', async () => {
    vi.doMock('node:module', () => ({
      createRequire: () => ({
        resolve: () => {
          throw new Error('Cannot find module')
        },
      }),
    }))
    // Another instance of this module alone: the others go on with their open files.
    const { openEmoji: openWithout }: typeof Emoji = await import(
      `${new URL('../../src/data/emoji.ts', import.meta.url).pathname}?without-package`
    )
    const error = await openWithout().catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code: 'data',
      message: 'the emoji images are not installed: run npm install emoji-datasource-google@16',
    })
  })
})
