import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FeatureCache } from '../../src/data/featureCache.ts'
import { FeatureRows } from '../../src/train/featureRows.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-rows-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

// Two rows a file.
const width = 2 ** 22
const row = (value: number) => new Float32Array(width).fill(value)
const keys = (letter: string) => ({ content: letter.repeat(32), state: null })

test.each([
  ['memory has room', 2 ** 30],
  ['memory has none', 0],
])(
  'a disk that refuses a file in the middle of a pass loses no row that is known, where %s',
  async (_, memoryBudget) => {
    const occupied = join(folder, 'occupied')
    await writeFile(occupied, '')
    const table = new FeatureCache({ folder: occupied }).table('key', width)
    await table.open()
    const reasons: string[] = []
    const rows = new FeatureRows(5, width, table, {
      memory: false,
      memoryBudget,
      onRefused: (reason) => reasons.push(reason),
    })
    await rows.put(0, keys('a'), row(1))
    await rows.setPlace(1, 0) // the same image once more
    await rows.put(2, keys('b'), row(2))
    await rows.put(3, keys('c'), row(3))
    await rows.setPlace(4, 0) // found before the disk refused, met after it
    const wanted = [0, 1, 2, 3, 4].filter((index) => rows.isKnown(index))
    expect(wanted).toEqual(memoryBudget ? [0, 1, 2, 3, 4] : [0, 1, 2, 4])
    const into = new Float32Array(wanted.length * width)
    await rows.read(
      wanted.map((index, row) => ({ index, row })),
      into,
    )
    expect(wanted.map((_, at) => into[at * width])).toEqual(
      wanted.map((index) => [1, 1, 2, 3, 1][index]),
    )
    expect(reasons).toEqual([expect.stringMatching(/occupied/)])
    await rows.close()
  },
)
