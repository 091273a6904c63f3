import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WeightsError } from '../../../src/base/errors.ts'
import { readOnnx } from '../../../src/weights/onnx/graph.ts'
import { hostileFiles, own, sound } from './files.ts'

/** What reading the bytes throws, which is a WeightsError of one line, or null. */
function refusal(bytes: Uint8Array): string | null {
  try {
    readOnnx(bytes)
    return null
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error
    expect(error.message).not.toMatch(/\n/)
    expect(error.message.length).toBeLessThan(600)
    return error.message
  }
}

describe('a hostile ONNX file is refused in one line', () => {
  test.each(Object.entries(hostileFiles))('%s', (_, [bytes, says]) => {
    expect(refusal(bytes)).toMatch(says)
  })
})

test('the files that are spoiled here are sound', () => {
  expect([refusal(sound), refusal(own)]).toEqual([null, null])
})

test('a file of Graft’s own is refused wherever it is cut', () => {
  for (let length = 0; length < own.length; length++)
    expect(refusal(own.subarray(0, length)), `${length} bytes`).not.toBeNull()
})

test('a file of anyone is refused wherever it is cut before its metadata', () => {
  for (let length = 0; length < sound.length; length++)
    expect(refusal(sound.subarray(0, length)), `${length} bytes`).not.toBeNull()
})

test('damaged bytes give a WeightsError or a network, never anything else', () => {
  const edit = fc.record({
    at: fc.nat({ max: sound.length - 1 }),
    value: fc.integer({ min: 0, max: 255 }),
  })
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
      const bytes = sound.slice()
      for (const { at, value } of edits) bytes[at] = value
      refusal(bytes)
    }),
    { numRuns: 2000 },
  )
})

test('pieces that are removed, repeated or exchanged give a WeightsError or a network', () => {
  const span = fc.record({
    from: fc.nat({ max: sound.length }),
    length: fc.nat({ max: 60 }),
    to: fc.nat({ max: sound.length }),
  })
  fc.assert(
    fc.property(span, fc.boolean(), ({ from, length, to }, removed) => {
      const piece = sound.slice(from, from + length)
      const rest = removed
        ? Uint8Array.from([...sound.slice(0, from), ...sound.slice(from + length)])
        : sound
      refusal(Uint8Array.from([...rest.slice(0, to), ...piece, ...rest.slice(to)]))
    }),
    { numRuns: 1000 },
  )
})

test('random bytes are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(refusal(bytes)).not.toBeNull()
    }),
    { numRuns: 2000 },
  )
})
