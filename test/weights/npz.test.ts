import { describe, expect, test } from 'vitest'
import { parseNpy } from '../../src/weights/npz.ts'
import { bytes, u16, u32 } from './hostile/build.ts'

/**
 * A .npy file as numpy.lib.format describes it: the header ends at a multiple of 64 bytes with a
 * line feed.
 */
function npy(
  descr: string,
  shape: string,
  data: Uint8Array,
  { order = 'False', version = 1 } = {},
): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`
  const start = version === 1 ? 10 : 12
  const padded = `${text.padEnd(Math.ceil((start + text.length + 1) / 64) * 64 - start - 1)}\n`
  return bytes(
    `\x93NUMPY${String.fromCharCode(version)}\0`,
    version === 1 ? u16(padded.length) : u32(padded.length),
    padded,
    data,
  )
}

const raw = (array: ArrayBufferView) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

describe('parseNpy', () => {
  test.each<[string, ArrayBufferView, string, number[]]>([
    ['<f8', Float64Array.of(0.1, -2), 'F64', [Math.fround(0.1), -2]],
    ['<f4', Float32Array.of(0.5, -2), 'F32', [0.5, -2]],
    ['<f2', Uint16Array.of(0x3c00, 0xc000), 'F16', [1, -2]],
    ['<i8', BigInt64Array.of(3n, -4n), 'I64', [3, -4]],
    ['<i4', Int32Array.of(3, -4), 'I32', [3, -4]],
    ['<i2', Int16Array.of(3, -4), 'I16', [3, -4]],
    ['|i1', Int8Array.of(3, -4), 'I8', [3, -4]],
    ['<u8', BigUint64Array.of(3n, 2n ** 63n), 'U64', [3, 2 ** 63]],
    ['<u4', Uint32Array.of(3, 4), 'U32', [3, 4]],
    ['<u2', Uint16Array.of(3, 4), 'U16', [3, 4]],
    ['|u1', Uint8Array.of(3, 255), 'U8', [3, 255]],
    ['|b1', Uint8Array.of(0, 1), 'BOOL', [0, 1]],
  ])('%s', (descr, values, dtype, wanted) => {
    const { data, ...rest } = parseNpy(npy(descr, '(2,)', raw(values)))
    expect([[...data], rest]).toEqual([wanted, { shape: [2], dtype }])
  })

  const six = raw(Float32Array.of(1, 2, 3, 4, 5, 6))
  test.each([
    ['C', 'False', [1, 2, 3, 4, 5, 6]],
    ['Fortran', 'True', [1, 3, 5, 2, 4, 6]],
  ])('%s order', (_, order, wanted) => {
    const { shape, data } = parseNpy(npy('<f4', '(2, 3)', six, { order }))
    expect([shape, [...data]]).toEqual([[2, 3], wanted])
  })

  test('a number, an empty array, and the header of version 2', () => {
    expect(parseNpy(npy('<f4', '()', six.subarray(0, 4)))).toMatchObject({
      shape: [],
      data: Float32Array.of(1),
    })
    expect(parseNpy(npy('<f4', '(0, 3)', new Uint8Array(0)))).toMatchObject({
      shape: [0, 3],
      data: new Float32Array(0),
    })
    expect(parseNpy(npy('<f4', '(6,)', six, { version: 2 })).data[5]).toBe(6)
  })
})
