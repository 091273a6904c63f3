import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { JobError } from '../../src/jobs/job.ts'
import { jobKinds } from '../../src/jobs/node/kinds.ts'
import {
  divided,
  imageOf,
  putShard,
  readImages,
  readShard,
  type ShardImage,
  shardSize,
} from '../../src/jobs/shards.ts'
import { openStore } from '../../src/store/node/openStore.ts'
import type { Store } from '../../src/store/store.ts'
import { StoreError } from '../../src/store/store.ts'

let folder: string
let work: Store
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-shards-'))
  work = await openStore(folder)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const loose = (n: number, bytes = 10): ShardImage => {
  return { name: `${n}`, path: `${n}.png`, bytes, version: '1' }
}
const member = (archive: string, n: number): ShardImage => {
  return { ...loose(n), path: `${archive}.tar`, start: 512 * n }
}
const many = (count: number, image: (n: number) => ShardImage) =>
  Array.from({ length: count }, (_, n) => image(n))

async function shards(images: readonly ShardImage[], size: number) {
  const all: (readonly ShardImage[])[] = []
  for await (const shard of divided(images, size)) all.push(shard)
  expect(all.flat()).toEqual(images)
  return all.map((shard) => shard.length)
}

describe('the division', () => {
  test('by count, in order', async () => {
    expect(await shards(many(10, loose), 4)).toEqual([4, 4, 2])
    expect(await shards([], 4)).toEqual([])
  })

  test('by bytes: 64 MiB at most, and a larger image alone', async () => {
    const mebibytes = (n: number) => n * 2 ** 20
    const sizes = [30, 30, 30, 90, 1, 1].map((size, n) => loose(n, mebibytes(size)))
    expect(await shards(sizes, 100)).toEqual([2, 1, 1, 2])
  })

  test('members of an archive stay together where they fit', async () => {
    const archives = ['a', 'b', 'c'].flatMap((name) => many(5, (n) => member(name, n)))
    expect(await shards(archives, 12)).toEqual([10, 5])
    expect(await shards(archives, 4)).toEqual([4, 1, 4, 1, 4, 1])
    expect(await shards([...many(3, loose), ...archives], 7)).toEqual([3, 5, 5, 5])
  })

  test('the size follows from the number of images and what is kept of each', () => {
    const counts = [10, 600, 2048, 4000, 10_000, 100_000, 10_000_000]
    expect(counts.map((count) => shardSize(count))).toEqual([32, 32, 64, 96, 128, 224, 1024])
    // Whole batches, where what is kept of the images leaves a choice.
    expect([260_000, 4_000_000].map((bytes) => shardSize(1_000_000, bytes))).toEqual([128, 8])
  })
})

describe('a shard', () => {
  test('of a store that is not mounted here fails, and leaves its images unbroken', async () => {
    const elsewhere = await openStore(join(folder, 'not-mounted'))
    const images = [{ name: 'one', path: '1.png', bytes: 3, version: 'a' }]
    const reading = readImages(elsewhere, images, new AbortController().signal)
    await expect(reading).rejects.toMatchObject({ problem: 'unreachable', message: /not mounted/ })
  })

  test('is read as it was written; images that are not there are broken when they are read', async () => {
    await work.write('data/1.png', new Uint8Array([1, 2, 3]))
    await work.write('data/x.tar', new Uint8Array([0, 0, 7, 8, 0]))
    const images: ShardImage[] = [
      { name: 'one', path: '1.png', bytes: 3, version: 'a' },
      { name: 'gone', path: '2.png', bytes: 3, version: 'a' },
      { name: 'changed', path: '1.png', bytes: 4, version: 'a' },
      { name: 'member', path: 'x.tar', bytes: 2, version: 'a', start: 2 },
    ]
    const hash = await putShard(work, images)
    expect(await readShard(work, hash)).toEqual(images)
    const data = await openStore(join(folder, 'data'))
    const samples = await readImages(data, images, new AbortController().signal)
    const read = await Promise.all(
      samples.map(async ({ source }) => {
        if (typeof source !== 'object' || !('read' in source)) throw new TypeError('not stored')
        return source.read().then((bytes) => [...bytes], String)
      }),
    )
    expect(read).toEqual([
      [1, 2, 3],
      expect.stringMatching(/DataError: .*2\.png is not there any more/),
      expect.stringMatching(/DataError: .*1\.png was changed while it was in use/),
      [7, 8],
    ])
    const unreachable: Store = {
      ...data,
      read: () => Promise.reject(new StoreError('unreachable', 'no answer')),
    }
    await expect(readImages(unreachable, images, new AbortController().signal)).rejects.toThrow(
      'no answer',
    )
  })

  const good = { name: 'x', path: 'x.png', bytes: 1, version: '1' }
  test.each([
    ['..', [{ ...good, path: '../secret.png' }], /\[0\]\.path is .*has to be a path in a store/],
    ['an absolute path', [{ ...good, path: '/etc/passwd' }], /path in a store/],
    ['huge images', [{ ...good, bytes: 2 ** 40 }], /\[0\]\.bytes/],
    ['a place before the archive', [{ ...good, start: -1 }], /\[0\]\.start/],
    ['no list', { images: [good] }, /has to be a list/],
    ['too many images', many(1025, loose), /lists 1025 images, and 1024 are the most/],
  ])('with %s is refused', async (_, images, message) => {
    const hash = await putShard(work, images as ShardImage[])
    await expect(readShard(work, hash)).rejects.toThrow(JobError)
    await expect(readShard(work, hash)).rejects.toThrow(message)
  })

  test('under another name than its content has, or too large, is refused', async () => {
    const text = new TextEncoder().encode('[]')
    const name = createHash('sha256').update('other').digest('hex')
    await work.write(`shards/${name}.json`, text)
    await expect(readShard(work, name)).rejects.toThrow(/has another content than its name says/)
    await work.write(`shards/${name}.json`, new Uint8Array(5 * 2 ** 20))
    await expect(readShard(work, name)).rejects.toThrow(/has more than 4194304 bytes/)
  })

  test('holds images of one store only', () => {
    const image = {
      address: 's3://a/b/1.png',
      version: '1',
      bytes: 1,
      read: () => Promise.reject(),
    }
    expect(imageOf(image, 'n', 's3://a/b').path).toBe('1.png')
    expect(() => imageOf(image, 'n', 's3://a/bc')).toThrow(/is not below s3:\/\/a\/bc/)
  })
})

test.each(jobKinds.map((kind) => [kind.name, kind] as const))(
  'a job of the kind %s that says something else is refused',
  (_, kind) => {
    for (const task of [{}, { data: 1 }, { data: 'file:///x', shard: '../../x' }])
      expect(() => kind.check(task)).toThrow(JobError)
  },
)
