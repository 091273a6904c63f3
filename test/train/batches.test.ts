import { expect, test } from 'vitest'
import type { DecodedSample } from '../../src/data/loader.ts'
import { grouped } from '../../src/train/batches.ts'

const MiB = 2 ** 20

async function* decoded(sizes: readonly number[]): AsyncGenerator<DecodedSample> {
  for (const [index, bytes] of sizes.entries())
    yield {
      index,
      sample: { source: '', name: String(index), label: 0 },
      image: { data: new Uint8Array(bytes), width: bytes / 3, height: 1 },
    }
}

test.each<[string, number[], number[][]]>([
  ['small images in whole groups', [1, 1, 1, 1, 1], [[0, 1], [2, 3], [4]]],
  ['large ones in parts', [200 * MiB, 1, 1, 1], [[0], [1], [2, 3]]],
  ['each large one alone', [200 * MiB, 130 * MiB, 200 * MiB], [[0], [1], [2]]],
  [
    'parts that add up to groups',
    [1, 200 * MiB, 1, 1],
    [
      [0, 1],
      [2, 3],
    ],
  ],
  ['nothing', [], []],
])('samples are grouped by two: %s', async (_what, sizes, wanted) => {
  const groups: number[][] = []
  for await (const group of grouped(decoded(sizes), 2)) groups.push(group.map(({ index }) => index))
  expect(groups).toEqual(wanted)
})
