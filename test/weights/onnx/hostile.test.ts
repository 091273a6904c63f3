import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WeightsError } from '../../../src/base/errors.ts'
import { readOnnx } from '../../../src/weights/onnx/graph.ts'
import { bytesPlace } from '../../../src/weights/place.ts'
import { hostileFiles, own, sound } from './files.ts'

/** What reading the bytes throws, which is a WeightsError of one line, or null. */
async function refusal(bytes: Uint8Array): Promise<string | null> {
  try {
    await readOnnx(bytesPlace(bytes))
    return null
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error
    expect(error.message).not.toMatch(/\n/)
    expect(error.message.length).toBeLessThan(600)
    return error.message
  }
}

describe('a hostile ONNX file is refused in one line', () => {
  test.each(Object.entries(hostileFiles))('%s', async (_, [bytes, says]) => {
    expect(await refusal(bytes)).toMatch(says)
  })
})

test('the files that are spoiled here are sound', async () => {
  expect([await refusal(sound), await refusal(own)]).toEqual([null, null])
})

test('a file of Graft’s own is refused wherever it is cut', async () => {
  for (let length = 0; length < own.length; length++)
    expect(await refusal(own.subarray(0, length)), `${length} bytes`).not.toBeNull()
})

test('a file of anyone is refused wherever it is cut before its metadata', async () => {
  for (let length = 0; length < sound.length; length++)
    expect(await refusal(sound.subarray(0, length)), `${length} bytes`).not.toBeNull()
})

test('damaged bytes give a WeightsError or a network, never anything else', async () => {
  const edit = fc.record({
    at: fc.nat({ max: sound.length - 1 }),
    value: fc.integer({ min: 0, max: 255 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 6 }), async (edits) => {
      const bytes = sound.slice()
      for (const { at, value } of edits) bytes[at] = value
      await refusal(bytes)
    }),
    { numRuns: 2000 },
  )
})

test('pieces that are removed, repeated or exchanged give a WeightsError or a network', async () => {
  const span = fc.record({
    from: fc.nat({ max: sound.length }),
    length: fc.nat({ max: 60 }),
    to: fc.nat({ max: sound.length }),
  })
  await fc.assert(
    fc.asyncProperty(span, fc.boolean(), async ({ from, length, to }, removed) => {
      const piece = sound.slice(from, from + length)
      const rest = removed
        ? Uint8Array.from([...sound.slice(0, from), ...sound.slice(from + length)])
        : sound
      await refusal(Uint8Array.from([...rest.slice(0, to), ...piece, ...rest.slice(to)]))
    }),
    { numRuns: 1000 },
  )
})

test('random bytes are refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      expect(await refusal(bytes)).not.toBeNull()
    }),
    { numRuns: 2000 },
  )
})
