import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WeightsError } from '../../src/base/errors.ts'
import type { NamedArray, StateDict } from '../../src/base/stateDict.ts'
import { readSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts'
import { assemble, headerOf, single, thrownBy } from './headers.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('__proto__', 'constructor', '10', '2', '', '"', '\\', '\n', 'é', '𝔛', '{:}'),
)

const array: fc.Arbitrary<NamedArray> = fc
  .array(fc.nat({ max: 4 }), { maxLength: 4 })
  .chain((shape) => {
    const count = shape.reduce((product, size) => product * size, 1)
    const bits = fc.array(fc.nat({ max: 0xffffffff }), { minLength: count, maxLength: count })
    return bits.map((words) => ({ shape, data: new Float32Array(new Uint32Array(words).buffer) }))
  })

const stateDict: fc.Arbitrary<StateDict> = fc
  .uniqueArray(fc.tuple(text, array), { selector: ([name]) => name, maxLength: 8 })
  .map((pairs) => Object.fromEntries(pairs.filter(([name]) => name !== '__metadata__')))

const texts: fc.Arbitrary<Record<string, string>> = fc
  .uniqueArray(fc.tuple(text, text), { selector: ([name]) => name, maxLength: 4 })
  .map((pairs) => Object.fromEntries(pairs))

function bits(data: Float32Array): number[] {
  return Array.from(new Uint32Array(data.buffer, data.byteOffset, data.length))
}

/**
 * Names with shapes and bit patterns, for comparison; pairs, because an object would hide a name
 * like __proto__.
 */
function contents(tensors: StateDict): unknown[] {
  return Object.entries(tensors)
    .map(([name, { shape, data }]) => [name, shape, bits(data)])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
}

describe('writing and reading back', () => {
  test('gives the same names, shapes, bits and metadata, whatever they are', () => {
    fc.assert(
      fc.property(stateDict, texts, (tensors, metadata) => {
        const file = readSafetensors(writeSafetensors(tensors, metadata))
        expect(contents(file.tensors)).toEqual(contents(tensors))
        expect(Object.entries(file.metadata).sort()).toEqual(Object.entries(metadata).sort())
        expect(Object.values(file.tensors).every(({ dtype }) => dtype === 'F32')).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  test('in place, gives the same values without a copy, at any alignment of the file', () => {
    fc.assert(
      fc.property(stateDict, fc.nat({ max: 7 }), (tensors, shift) => {
        const bytes = writeSafetensors(tensors)
        const shifted = new Uint8Array(bytes.length + shift).subarray(shift)
        shifted.set(bytes)
        const file = readSafetensors(shifted, { inPlace: true })
        expect(contents(file.tensors)).toEqual(contents(tensors))
        for (const { data } of Object.values(file.tensors))
          expect(data.buffer === shifted.buffer).toBe(shift % 4 === 0)
      }),
    )
  })

  test('gives the same bytes in whatever order the names come', () => {
    fc.assert(
      fc.property(stateDict, texts, (tensors, metadata) => {
        const backwards = <T>(record: Record<string, T>) =>
          Object.fromEntries(Object.entries(record).reverse())
        expect(writeSafetensors(backwards(tensors), backwards(metadata))).toEqual(
          writeSafetensors(tensors, metadata),
        )
      }),
    )
  })
})

describe('writeSafetensors', () => {
  test('lays out the file that the format describes, byte for byte', () => {
    const b = { shape: [2], data: Float32Array.of(1, -2) }
    const a = { shape: [], data: Float32Array.of(0.5) }
    const header =
      '{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}'
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8)
    expect(padded.length).toBeGreaterThan(header.length)
    const data = Uint8Array.of(0, 0, 0, 0x3f, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0)
    expect(writeSafetensors({ b, a }, { k: 'v' })).toEqual(assemble(padded, data))
  })

  test('pads every header to a multiple of 8 bytes', () => {
    for (let length = 0; length < 16; length++) {
      const file = writeSafetensors({
        ['n'.repeat(length)]: { shape: [1], data: Float32Array.of(1) },
      })
      expect(headerOf(file).length % 8).toBe(0)
      expect(headerOf(file)).toMatch(/^\{.*\} *$/)
    }
  })

  test('keeps the order of names that look like numbers', () => {
    const one = { shape: [1], data: Float32Array.of(1) }
    expect(headerOf(writeSafetensors({ '10': one, '2': one, '!': one }))).toMatch(
      /"!":.*"10":.*"2":/,
    )
  })

  test('writes the part of a larger buffer that an array views', () => {
    const part = Float32Array.of(1, 2, 3, 4).subarray(1, 3)
    expect(
      Array.from(
        readSafetensors(writeSafetensors({ part: { shape: [2], data: part } })).tensors.part
          ?.data ?? [],
      ),
    ).toEqual([2, 3])
  })

  const one = Float32Array.of(1)
  const wrong: [string, StateDict, Record<string, string>, RegExp][] = [
    ['too few data', { w: { shape: [2, 3], data: one } }, {}, /"w".*\[2, 3\].*6 elements.*hold 1/],
    ['too many data', { w: { shape: [0], data: one } }, {}, /"w".*0 elements.*hold 1/],
    ['a negative size', { w: { shape: [-1, -1], data: one } }, {}, /"w".*\[-1, -1\]/],
    ['a fractional size', { w: { shape: [0.5, 2], data: one } }, {}, /"w".*\[0.5, 2\]/],
    ['a shape that overflows', { w: { shape: [2 ** 40, 2 ** 40], data: one } }, {}, /"w"/],
    [
      'data of another kind',
      { w: { shape: [1], data: [1] as unknown as Float32Array } },
      {},
      /"w".*Float32Array/,
    ],
    [
      'the reserved name',
      { __metadata__: { shape: [1], data: one } },
      {},
      /__metadata__.*reserves/,
    ],
    ['half a surrogate pair in a name', { 'a\ud800': { shape: [1], data: one } }, {}, /Unicode/],
    ['half a surrogate pair in metadata', {}, { k: '\udc00' }, /"k".*Unicode/],
    ['metadata that is no text', {}, { k: 3 as unknown as string }, /"k".*number/],
    ['a header over the limit', {}, { k: 'x'.repeat(100_000_000) }, /header.*100000000/],
  ]
  test.each(wrong)('rejects %s', (_, tensors, metadata, message) => {
    const error = thrownBy(() => writeSafetensors(tensors, metadata))
    expect(error).toBeInstanceOf(WeightsError)
    expect(String(error)).toMatch(message)
  })
})

describe('readSafetensors', () => {
  test('reads a file without tensors', () => {
    expect(readSafetensors(assemble('{}'))).toEqual({ tensors: {}, metadata: {} })
  })

  test('reads sizes of 0 anywhere between tensors, and shape []', () => {
    const header = {
      empty: { dtype: 'F32', shape: [3, 0], data_offsets: [1, 1] },
      scalar: { dtype: 'U8', shape: [], data_offsets: [0, 1] },
      byte: { dtype: 'U8', shape: [1], data_offsets: [1, 2] },
    }
    const { tensors } = readSafetensors(assemble(JSON.stringify(header), Uint8Array.of(7, 9)))
    expect(tensors.empty).toEqual({ shape: [3, 0], data: new Float32Array(0), dtype: 'F32' })
    expect(tensors.scalar).toEqual({ shape: [], data: Float32Array.of(7), dtype: 'U8' })
    expect(tensors.byte).toEqual({ shape: [1], data: Float32Array.of(9), dtype: 'U8' })
    expect(Object.keys(tensors)).toEqual(['empty', 'scalar', 'byte'])
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7])('reads data %i bytes past alignment', (shift) => {
    const values = Float32Array.of(1.5, -2.25)
    const header = JSON.stringify({ x: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } })
    const start = 8 - ((8 + header.length) % 8)
    const file = assemble(header + ' '.repeat(start + shift), new Uint8Array(values.buffer))
    const elsewhere = new Uint8Array(file.length + 3)
    elsewhere.set(file, 3)
    expect(readSafetensors(file).tensors.x?.data).toEqual(values)
    expect(readSafetensors(elsewhere.subarray(3)).tensors.x?.data).toEqual(values)
  })

  test('returns copies, also of a Buffer', () => {
    const bytes = Buffer.from(writeSafetensors({ x: { shape: [1], data: Float32Array.of(4) } }))
    const { tensors } = readSafetensors(bytes)
    bytes.fill(0)
    expect(tensors.x?.data[0]).toBe(4)
  })

  test('takes fields it does not know, as the reference implementation does', () => {
    const file = assemble(
      '{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"note":{"shape":[1.5]}}}',
      Uint8Array.of(3),
    )
    expect(readSafetensors(file).tensors.x?.data[0]).toBe(3)
  })

  test('keeps the bits of a NaN', () => {
    const nan = Uint32Array.of(0xffc12345)
    expect(
      bits(
        readSafetensors(single('F32', [1], new Uint8Array(nan.buffer))).tensors.x?.data ??
          new Float32Array(),
      ),
    ).toEqual([0xffc12345])
  })
})
