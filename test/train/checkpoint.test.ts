import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { at } from '../../src/base/at.ts'
import { WeightsError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import { diskFiles } from '../../src/host/node/files.ts'
import {
  type Checkpoint,
  readCheckpoint,
  readEpochEnd,
  writeCheckpoint,
} from '../../src/train/checkpoint.ts'
import { readSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-checkpoint-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const values = (n: number, from: number) => ({
  shape: [n],
  data: Float32Array.from({ length: n }, (_, i) => from + i / n),
})

/** A checkpoint with all that there can be in one. */
function checkpointAt(epochs: number, position = 0): Checkpoint {
  const epoch = (i: number) => ({
    epoch: i + 1,
    trainLoss: 1 / (i + 1),
    trainAccuracy: 0.5,
    valLoss: 0.9,
    valAccuracy: 0.6,
    seconds: 1.5,
    lr: 1e-3,
  })
  const sums = { loss: 1, correct: 2, count: 4, seconds: 0.1, lr: 1e-3 }
  return {
    weights: { 'a.weight': values(20, epochs), 'a.bias': values(3, position) },
    optimizer: { 'a.weight/momentum': values(20, -1) },
    averages: { values: { 'a.weight': values(20, 7) }, updates: 4 },
    best: { epoch: 1, weights: { 'a.weight': values(20, 9) } },
    epochs: Array.from({ length: epochs }, (_, i) => epoch(i)),
    part: position ? { position, batches: 1, steps: 1, passes: 9, ...sums } : null,
    passes: 8 * epochs + position,
    options: { lr: 1e-3, seed: 1 },
  }
}

/** The parts of two checkpoints that arrays are compared by value in. */
const plain = (checkpoint: Checkpoint | null) =>
  JSON.parse(JSON.stringify(checkpoint, (key, value) => (key === 'dtype' ? undefined : value)))

test('the two newest ends of epochs are kept, and the newest of all is read', async () => {
  const place = join(folder, 'kept')
  for (const epochs of [1, 2, 3]) {
    await writeCheckpoint(diskFiles, place, checkpointAt(epochs))
    expect(plain(await readCheckpoint(diskFiles, place))).toEqual(plain(checkpointAt(epochs)))
  }
  await writeCheckpoint(diskFiles, place, checkpointAt(3, 5))
  expect(plain(await readCheckpoint(diskFiles, place))).toEqual(plain(checkpointAt(3, 5)))
  expect(plain(await readEpochEnd(diskFiles, place, 3))).toEqual(plain(checkpointAt(3)))
  expect(plain(await readEpochEnd(diskFiles, place, 2))).toEqual(plain(checkpointAt(2)))
  expect(await readEpochEnd(diskFiles, place, 1)).toBe(null)
})

test.each([
  ['the end of an epoch', 'epoch.safetensors', checkpointAt(3)],
  ['the end of another epoch', 'epoch-other.safetensors', checkpointAt(4)],
  ['a state within an epoch', 'step.safetensors', checkpointAt(2, 5)],
])(
  'any bit flipped in %s: the checkpoint before it is taken, and that is said',
  async (_, name, last) => {
    const place = join(folder, name)
    const before = last.part ? checkpointAt(2) : checkpointAt(last.epochs.length - 1)
    await writeCheckpoint(diskFiles, place, before)
    await writeCheckpoint(diskFiles, place, last)
    const path = join(place, name)
    const whole = await readFile(path)
    const random = new Random(3)
    let taken = 0
    for (let round = 0; round < 200; round++) {
      const bit = Math.floor(random.uniform() * whole.length * 8)
      const bytes = Uint8Array.from(whole)
      bytes[bit >> 3] = at(bytes, bit >> 3) ^ (1 << (bit & 7))
      await writeFile(path, bytes)
      const said: string[] = []
      const found = plain(await readCheckpoint(diskFiles, place, (message) => said.push(message)))
      if (said.length) {
        taken++
        expect(found, `bit ${bit}`).toEqual(plain(before))
        expect(said).toEqual([
          expect.stringMatching(/ is not a checkpoint of Graft: .*from the checkpoint before it$/),
        ])
      } else expect(found, `bit ${bit}`).toEqual(plain(last)) // a space, or the checksum's own name
    }
    expect(taken).toBeGreaterThan(150)
  },
)

test('one that is alone and damaged is an error; one without a checksum is read', async () => {
  const place = join(folder, 'alone')
  await writeCheckpoint(diskFiles, place, checkpointAt(1))
  const path = join(place, 'epoch.safetensors')
  const { tensors, metadata } = readSafetensors(await readFile(path))
  await copyFile(path, join(place, 'epoch-other.safetensors'))
  await rm(path)
  const changed = { ...tensors, 'weight/a.bias': values(3, 99) }
  await writeFile(path, writeSafetensors(changed, metadata))
  await rm(join(place, 'epoch-other.safetensors'))
  await expect(readCheckpoint(diskFiles, place)).rejects.toThrow(
    new WeightsError(
      `${path} is not a checkpoint of Graft: its values do not match its checksum; ` +
        'delete it to start afresh',
    ),
  )
  const { sha256: _, ...old } = metadata
  await writeFile(path, writeSafetensors(changed, old))
  expect((await readCheckpoint(diskFiles, place))?.weights['a.bias']?.data[0]).toBe(99)
})
