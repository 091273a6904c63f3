import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readArchive } from '../../src/weights/archive.ts'
import { blobSource, bytesSource } from '../../src/weights/source.ts'
import { bytes, type Entry, zip } from './hostile/build.ts'

async function contents(file: Uint8Array): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {}
  for (const [name, entry] of await readArchive(bytesSource(file))) files[name] = await entry.read()
  return files
}

const four = new Uint8Array(bytes('abcd'))

/** Entries of random names and contents, as `torch.save` and `numpy.savez` write them. */
const archives = fc.record({
  stem: fc.stringMatching(/^[ -.0-~]{1,120}$/),
  contents: fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 6 }),
  deflate: fc.boolean(),
  zip64: fc.constantFrom('none' as const, 'besides' as const, 'needed' as const),
  comment: fc.constantFrom('', 'PK\x05\x06', 'written by hand'),
  after: fc.constantFrom('', '\0'.repeat(100), 'PK\x05\x06', '\n'),
})

describe('an archive', () => {
  test('opens whatever its names, sizes and end are', async () => {
    await fc.assert(
      fc.asyncProperty(archives, async ({ stem, contents: parts, deflate, ...end }) => {
        const entries = parts.map((data, i) => ({ name: `${stem}/data/${i}`, data, deflate }))
        const file = bytes(zip(entries, end), end.after)
        expect(await contents(file)).toEqual(
          Object.fromEntries(entries.map(({ name, data }) => [name, data])),
        )
      }),
      { seed: 15, numRuns: 500 },
    )
  })

  // 30 bytes of name make the directory's first record 76 bytes long, as the records are that are
  // there for large archives.
  test.each(Array.from({ length: 120 }, (_, i) => i + 1))(
    'opens with a first name of %i bytes, with records for large archives or without',
    async (length) => {
      const entry = { name: 'x'.repeat(length), data: four }
      for (const zip64 of ['none', 'besides', 'needed'] as const)
        for (let more = 0; more < 6; more++) {
          const others = Array.from({ length: more }, (_, i) => ({ name: `${i}.npy`, data: four }))
          const named = zip([entry, ...others], { zip64 })
          expect(Object.keys(await contents(named))).toHaveLength(more + 1)
        }
    },
  )

  test.each([
    'e:05_acc:0.97/data.pkl',
    'C:\\runs\\best/data.pkl',
    '../data.pkl',
    '/conv1/kernel.npy',
    'a//b.npy',
    '.npy',
    ' /data.pkl',
    'a\nb.npy',
    'PK\x01\x02/data.pkl',
    '__proto__',
  ])('may have the name %j', async (name) => {
    expect((await readArchive(bytesSource(zip([{ name, data: four }])))).get(name)?.size).toBe(4)
  })

  test('may have names in UTF-8, said or not, and in Latin-1', async () => {
    const utf8 = Buffer.from('grüße/日本', 'utf8').toString('latin1')
    const names = async (entry: Entry) => Object.keys(await contents(zip([entry])))
    expect(await names({ name: utf8, data: four, flags: 0x800 })).toEqual(['grüße/日本'])
    expect(await names({ name: utf8, data: four })).toEqual(['grüße/日本'])
    expect(await names({ name: 'gr\xfc\xdfe', data: four })).toEqual(['grüße'])
  })

  test('may lack checksums where nothing is compressed; a wrong one is an error', async () => {
    const read = (entry: Partial<Entry>) => contents(zip([{ name: 'x', data: four, ...entry }]))
    expect(await read({ crc: 0 })).toEqual({ x: four })
    await expect(read({ crc: 1 })).rejects.toThrow(/"x" in the archive is damaged.*checksum/)
    await expect(read({ crc: 0, deflate: true })).rejects.toThrow(/checksum/)
  })

  test('is read from a blob without reading all of it', async () => {
    const file = zip([
      { name: 'a', data: new Uint8Array(10_000) },
      { name: 'b', data: four },
    ])
    const whole = blobSource(new Blob([new Uint8Array(file)]))
    let read = 0
    const counting = {
      ...whole,
      read: (begin: number, length: number) => {
        read += length
        return whole.read(begin, length)
      },
    }
    const archive = await readArchive(counting)
    const opened = read
    expect(await archive.get('b')?.read()).toEqual(four)
    expect(read - opened).toBeLessThan(100)
  })

  const two = [
    { name: 'a', data: four },
    { name: 'b', data: four },
  ]
  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', bytes(), /no directory/],
    ['no end', zip(two).subarray(0, -22), /no directory/],
    ['a wrong count', zip(two, { count: 3 }), /2 entries where its end announces 3/],
    [
      'entries in one place',
      zip([two[0], { ...two[1], offset: 0 }] as Entry[]),
      /"a" in the archive.*reaches into what follows/,
    ],
    ['a name twice', zip([two[0], two[0]] as Entry[]), /"a" twice/],
    ['no known compression', zip([{ name: 'a', data: four, method: 12 }]), /method 12/],
    ['a password', zip([{ name: 'a', data: four, flags: 1 }]), /encrypted/],
  ])('with %s is refused', async (_, file, message) => {
    await expect(contents(file)).rejects.toThrow(message)
  })
})
