import { describe, expect, test } from 'vitest'
import { readSafetensors } from '../../src/weights/safetensors.ts'
import { single } from './headers.ts'

/** Reads one tensor of `bytes` as the type. */
function widened(dtype: string, bytes: Uint8Array, count: number): Float32Array {
  const { x } = readSafetensors(single(dtype, [count], bytes)).tensors
  expect(x?.dtype).toBe(dtype)
  return x?.data ?? new Float32Array()
}

/** Little-endian bytes of words of 2 bytes. */
function words(values: number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [value & 255, value >> 8]))
}

function hex(...pairs: string[]): Uint8Array {
  return Uint8Array.from(Buffer.from(pairs.join(''), 'hex'))
}

// Wikipedia, "Half-precision floating-point format", section "Half precision examples".
const halves: [number, number][] = [
  [0x0000, 0],
  [0x8000, -0],
  [0x0001, 0.000000059604645],
  [0x8001, -0.000000059604645],
  [0x03ff, 0.000060975552],
  [0x0400, 0.00006103515625],
  [0x3555, 0.33325195],
  [0x3bff, 0.99951172],
  [0x3c00, 1],
  [0x3c01, 1.00097656],
  [0x7bff, 65504],
  [0xc000, -2],
  [0x7c00, Number.POSITIVE_INFINITY],
  [0xfc00, Number.NEGATIVE_INFINITY],
  [0x7c01, Number.NaN],
  [0x7e00, Number.NaN],
  [0xfe00, Number.NaN],
]

// Wikipedia, "bfloat16 floating-point format", section "Examples".
const brainFloats: [number, number][] = [
  [0x3f80, 1],
  [0xc000, -2],
  [0x7f7f, 3.3895313892515355e38],
  [0x0080, 1.1754943508222875e-38],
  [0x0001, 9.183549615799121e-41],
  [0x8001, -9.183549615799121e-41],
  [0x0000, 0],
  [0x8000, -0],
  [0x7f80, Number.POSITIVE_INFINITY],
  [0xff80, Number.NEGATIVE_INFINITY],
  [0x4049, 3.140625],
  [0x3eab, 0.333984375],
  [0xffc1, Number.NaN],
  [0xff81, Number.NaN],
]

describe('widening', () => {
  test.each(halves)('F16 of word %i is %f', (word, value) => {
    const [found = 0] = widened('F16', words([word]), 1)
    if (value === 0 || !Number.isFinite(value)) expect(Object.is(found, value)).toBe(true)
    else expect(Math.abs(found - value)).toBeLessThan(5e-8 * Math.abs(value))
  })

  test('every F16 has the value that IEEE 754 defines', () => {
    const all = Array.from({ length: 65_536 }, (_, word) => word)
    const found = widened('F16', words(all), 65_536)
    for (const word of all) {
      const sign = word >= 32_768 ? -1 : 1
      const exponent = Math.floor(word / 1024) % 32
      const fraction = (word % 1024) / 1024
      const special = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
      const value =
        exponent === 31
          ? special
          : exponent === 0
            ? sign * fraction * 2 ** -14
            : sign * (1 + fraction) * 2 ** (exponent - 15)
      if (!Object.is(found[word], value))
        expect.fail(`0x${word.toString(16)}: ${found[word]} instead of ${value}`)
    }
  })

  test.each(brainFloats)('BF16 of word %i is %f', (word, value) => {
    expect(Object.is(widened('BF16', words([word]), 1)[0], value)).toBe(true)
  })

  test('every BF16 has the value that its fields define', () => {
    const all = Array.from({ length: 65_536 }, (_, word) => word)
    const found = widened('BF16', words(all), 65_536)
    for (const word of all) {
      const sign = word >= 32_768 ? -1 : 1
      const exponent = Math.floor(word / 128) % 256
      const fraction = (word % 128) / 128
      const special = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
      const value =
        exponent === 255
          ? special
          : exponent === 0
            ? sign * fraction * 2 ** -126
            : sign * (1 + fraction) * 2 ** (exponent - 127)
      if (!Object.is(found[word], value))
        expect.fail(`0x${word.toString(16)}: ${found[word]} instead of ${value}`)
    }
  })

  const others: [string, Uint8Array, number[]][] = [
    [
      'F64',
      hex(
        '000000000000f83f',
        '9a9999999999b9bf',
        '0000000000000080',
        '000000000000f07f',
        '9c7500883ce4377e',
      ),
      [1.5, Math.fround(-0.1), -0, Infinity, Infinity],
    ],
    ['F32', hex('0000c03f', '01000080', '000080ff'), [1.5, -1.401298464324817e-45, -Infinity]],
    [
      'I64',
      hex('ffffffffffffffff', '0000000000000080', '0100000100000000', '0300000100000000'),
      [-1, -(2 ** 63), 2 ** 24, 2 ** 24 + 4],
    ],
    ['I32', hex('00000080', 'ffffff7f', 'feffffff'), [-(2 ** 31), 2 ** 31, -2]],
    ['I16', hex('0080', 'ff7f', 'ffff'), [-32_768, 32_767, -1]],
    ['I8', hex('80', '7f', 'ff'), [-128, 127, -1]],
    ['U64', hex('ffffffffffffffff', '0700000000000000'), [2 ** 64, 7]],
    ['U32', hex('ffffffff', '00000080'), [2 ** 32, 2 ** 31]],
    ['U16', hex('ffff', '0100'), [65_535, 1]],
    ['U8', hex('ff', '00'), [255, 0]],
    ['BOOL', hex('00', '01', '02'), [0, 1, 1]],
  ]
  test.each(others)('%s', (dtype, bytes, values) => {
    expect(Array.from(widened(dtype, bytes, values.length))).toEqual(values)
  })
})
