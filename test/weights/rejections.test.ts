import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WeightsError } from '../../src/base/errors.ts'
import { readSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts'
import { assemble, type Entry, thrownBy } from './headers.ts'

const good: Entry = { dtype: 'F32', shape: [2], data_offsets: [0, 8] }
const eight = new Uint8Array(8)

/** A file whose one tensor has these faults, and as many data as a sound one. */
function withEntry(fault: Partial<Entry>): Uint8Array {
  return assemble(JSON.stringify({ x: { ...good, ...fault } }), eight)
}

/** A file of U8 tensors that lie at these offsets. */
function at(offsets: Record<string, [number, number]>, bytes: number): Uint8Array {
  const entries = Object.entries(offsets).map(([name, [begin, end]]) => [
    name,
    { dtype: 'U8', shape: [end - begin], data_offsets: [begin, end] },
  ])
  return assemble(JSON.stringify(Object.fromEntries(entries)), new Uint8Array(bytes))
}

const header = JSON.stringify({ x: good })
const whole = assemble(header, eight)
const entry = JSON.stringify(good)

const damaged: [string, Uint8Array, RegExp][] = [
  ['an empty file', new Uint8Array(), /truncated: 0 bytes/],
  ['a file of 7 bytes', new Uint8Array(7), /truncated: 7 bytes/],
  ['a header of length 0', new Uint8Array(8), /length is 0/],
  [
    'a header length over the limit',
    assemble(header, eight, 100_000_001n),
    /100000001 bytes and 100000000/,
  ],
  ['a header length of 2^63', assemble(header, eight, 2n ** 63n), /9223372036854776000 bytes/],
  [
    'a header length past the end',
    assemble(header, eight, 1000n),
    new RegExp(`truncated: ${whole.length} bytes.*1008`),
  ],
  [
    'a cut in the header',
    whole.subarray(0, 20),
    new RegExp(`truncated: 20 bytes.*${8 + header.length}`),
  ],
  [
    'a cut in the data',
    whole.subarray(0, whole.length - 1),
    new RegExp(`truncated: ${whole.length - 1} bytes.*calls for ${whole.length}`),
  ],
  ['a cut before the data', whole.subarray(0, whole.length - 8), /truncated/],
  [
    'a byte too many',
    assemble(header, new Uint8Array(9)),
    new RegExp(`1 bytes follow.*${whole.length + 1} bytes.*${whole.length}`),
  ],
  ['bytes without any tensor', assemble('{}', eight), /8 bytes follow/],

  ['a header that begins with a space', assemble(` ${header}`, eight), /begins with byte 0x20/],
  ['a header that is a list', assemble('[]'), /begins with byte 0x5b/],
  ['a byte order mark', assemble(`\ufeff${header}`, eight), /begins with byte 0xef/],
  ['a header that is not JSON', assemble("{'x': 1}"), /not valid JSON/],
  ['a header with more after its end', assemble(`${header}{}`, eight), /not valid JSON/],
  ['a header without its end', assemble(header.slice(0, -1), eight), /not valid JSON/],
  ['zeros as padding', assemble(`${header}\0\0`, eight), /not valid JSON/],
  ['a header that is not UTF-8', assemble(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), /UTF-8/],

  [
    'a tensor named twice',
    assemble(`{"x":${entry},"x":${entry}}`, eight),
    /header gives "x" twice/,
  ],
  [
    'a tensor named twice by an escape',
    assemble(`{"x":${entry},"\\u0078" :${entry}}`, eight),
    /header gives "x" twice/,
  ],
  [
    'a tensor named twice, its colon far off',
    assemble(`{"x":${entry},"x"${' '.repeat(500)}:${entry}}`, eight),
    /header gives "x" twice/,
  ],
  [
    'a field given twice',
    assemble(`{"x":{"dtype":"F32","shape":[2],"dtype":"F32","data_offsets":[0,8]}}`, eight),
    /"x" in the header gives "dtype" twice/,
  ],
  [
    'metadata given twice',
    assemble('{"__metadata__":{},"__metadata__":{}}'),
    /"__metadata__" twice/,
  ],
  [
    'one metadata name twice',
    assemble('{"__metadata__":{"a":"1","a":"2"}}'),
    /"__metadata__" in the header gives "a" twice/,
  ],
  [
    'a name after a bracket in a name',
    assemble(`{"]}{\\"":${entry},"]}{\\"":${entry}}`, eight),
    /twice/,
  ],
  ['half a surrogate pair in a name', assemble(`{"\\ud800":${entry}}`, eight), /Unicode/],
  [
    'half a surrogate pair in metadata',
    assemble('{"__metadata__":{"a":"\\udfff"}}'),
    /"a" is not valid Unicode/,
  ],

  [
    'metadata that is text',
    assemble('{"__metadata__":"a"}'),
    /__metadata__ is .* instead of a map/,
  ],
  [
    'metadata that is a list',
    assemble('{"__metadata__":["a"]}'),
    /__metadata__ is .* instead of a map/,
  ],
  ['metadata that is null', assemble('{"__metadata__":null}'), /__metadata__ is null/],
  [
    'metadata with a number',
    assemble('{"__metadata__":{"epochs":3}}'),
    /"epochs" is 3 instead of text/,
  ],
  [
    'metadata with a map',
    assemble('{"__metadata__":{"epochs":{}}}'),
    /"epochs" is \{\} instead of text/,
  ],

  ['an entry that is null', assemble('{"x":null}'), /"x".*null/],
  ['an entry that is a list', assemble('{"x":[]}'), /"x".*\[\]/],
  ['no dtype', withEntry({ dtype: undefined }), /"x".*dtype is missing/],
  ['an unknown dtype', withEntry({ dtype: 'F31' }), /"x".*F31.*F64, F32/],
  ['a dtype of the wrong case', withEntry({ dtype: 'f32' }), /"x".*f32/],
  ['a dtype that every object has', withEntry({ dtype: 'constructor' }), /"x".*constructor/],
  ['a dtype that is a number', withEntry({ dtype: 32 }), /"x".*dtype is 32/],
  [
    'a dtype of the format that is not read',
    withEntry({ dtype: 'F8_E4M3' }),
    /"x".*F8_E4M3.*convert/,
  ],
  ['no shape', withEntry({ shape: undefined }), /"x".*shape is missing/],
  ['a shape that is a number', withEntry({ shape: 2 }), /"x".*shape is 2 instead/],
  ['a negative size', withEntry({ shape: [-1, -2] }), /"x".*shape is \[-1,-2\]/],
  ['a fractional size', withEntry({ shape: [0.5, 4] }), /"x".*shape is \[0.5,4\]/],
  ['a size that is text', withEntry({ shape: ['2'] }), /"x".*shape is/],
  ['a size beyond exact integers', withEntry({ shape: [0, 2 ** 53] }), /"x".*shape is/],
  ['a size written 2.0', assemble(header.replace('[2]', '[2.0]'), eight), /"x": shape.*2\.0/],
  ['a size written 2e0', assemble(header.replace('[2]', '[2e0]'), eight), /"x": shape.*2e0/],
  ['an offset written -0', assemble(header.replace('[0,', '[-0,'), eight), /"x": data_offsets.*-0/],
  ['a shape whose product overflows', withEntry({ shape: [2 ** 40, 2 ** 40] }), /"x".*overflows/],
  [
    'a shape that overflows before its 0',
    withEntry({ shape: [2 ** 40, 2 ** 40, 0], data_offsets: [0, 0] }),
    /"x".*overflows/,
  ],
  ['a shape that overflows in bytes', withEntry({ shape: [2 ** 52] }), /"x".*overflows/],
  ['no offsets', withEntry({ data_offsets: undefined }), /"x".*data_offsets are missing/],
  ['one offset', withEntry({ data_offsets: [0] }), /"x".*data_offsets are \[0\]/],
  ['three offsets', withEntry({ data_offsets: [0, 8, 8] }), /"x".*data_offsets are/],
  ['a negative offset', withEntry({ data_offsets: [-8, 0] }), /"x".*data_offsets are \[-8,0\]/],
  ['a fractional offset', withEntry({ data_offsets: [0.5, 8.5] }), /"x".*data_offsets are/],
  ['offsets the wrong way round', withEntry({ data_offsets: [8, 0] }), /"x".*begin at 8.*end at 0/],
  ['a span too short for the shape', withEntry({ shape: [3] }), /"x".*takes 12 bytes.*span 8/],
  ['a span too long for the shape', withEntry({ shape: [1] }), /"x".*takes 4 bytes.*span 8/],
  ['a span too long for shape []', withEntry({ shape: [] }), /"x".*takes 4 bytes.*span 8/],
  ['a span for a size of 0', withEntry({ shape: [0] }), /"x".*takes 0 bytes.*span 8/],
  [
    'a span past the end of the file',
    withEntry({ shape: [4], data_offsets: [0, 16] }),
    /truncated/,
  ],

  [
    'two tensors in one place',
    at({ a: [0, 4], b: [0, 4] }, 4),
    /"b" begins at byte 0 and overlaps "a", which ends at 4/,
  ],
  [
    'tensors that overlap by a byte',
    at({ a: [0, 4], b: [3, 8] }, 8),
    /"b" begins at byte 3 and overlaps "a"/,
  ],
  ['a tensor inside another', at({ a: [0, 8], b: [2, 4] }, 8), /"b".*overlaps "a"/],
  ['an empty tensor inside another', at({ a: [0, 8], b: [4, 4] }, 8), /"b".*overlaps "a"/],
  ['a hole between tensors', at({ a: [0, 4], b: [6, 8] }, 8), /bytes 4 to 6, before tensor "b"/],
  ['a hole before the first', at({ a: [2, 4] }, 4), /bytes 0 to 2, before tensor "a"/],
  [
    'an empty tensor past the end',
    at({ a: [0, 4], b: [9, 9] }, 4),
    /bytes 4 to 9, before tensor "b"/,
  ],

  [
    'a Git LFS pointer',
    new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'),
    /git lfs pull/,
  ],
  ['a zip archive', Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0, 0, 0, 0), /zip archive/],
  ['a web page', new TextEncoder().encode('\n<!DOCTYPE html><html></html>'), /web page/],
]

describe('readSafetensors rejects', () => {
  test.each(damaged)('%s', (_, bytes, message) => {
    const error = thrownBy(() => readSafetensors(bytes))
    expect(error).toBeInstanceOf(WeightsError)
    const text = (error as WeightsError).message
    expect(text).toMatch(message)
    expect(text).not.toMatch(/\p{Cc}/u)
    expect(text.length).toBeLessThan(400)
  })

  test('nothing in the file that the others are made from', () => {
    expect(readSafetensors(whole).tensors.x?.shape).toEqual([2])
    expect(
      Object.keys(readSafetensors(at({ b: [2, 4], a: [0, 2], empty: [2, 2] }, 4)).tensors),
    ).toEqual(['b', 'a', 'empty'])
  })

  test('a file cut anywhere', () => {
    const file = writeSafetensors(
      {
        a: { shape: [3], data: Float32Array.of(1, 2, 3) },
        b: { shape: [], data: Float32Array.of(4) },
      },
      { k: 'v' },
    )
    for (let length = 0; length < file.length; length++)
      expect(() => readSafetensors(file.subarray(0, length)), `cut at ${length}`).toThrow(
        /truncated/,
      )
  })

  test('with a WeightsError, whatever byte of a file is changed, unless it is still sound', () => {
    const file = writeSafetensors(
      {
        a: { shape: [2, 2], data: new Float32Array(4) },
        b: { shape: [0], data: new Float32Array() },
      },
      { k: 'v' },
    )
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: file.length - 1 }), fc.nat({ max: 255 })), {
          minLength: 1,
          maxLength: 3,
        }),
        (changes) => {
          const changed = file.slice()
          for (const [index, byte] of changes) changed[index] = byte
          try {
            const { tensors } = readSafetensors(changed)
            for (const { shape, data } of Object.values(tensors))
              expect(data.length).toBe(shape.reduce((product, size) => product * size, 1))
          } catch (error) {
            expect(error).toBeInstanceOf(WeightsError)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
