import { describe, expect, test } from 'vitest'
import { ndArray } from '../../src/reference/ndarray.ts'
import * as reference from '../../src/reference/resizeCrop.ts'
import { expectClose } from '../support/compare.ts'
import { loadCase, ORACLE_TOLERANCE, oracleCases, tensorOf } from '../support/oracle.ts'

describe('resizeCrop', () => {
  test.each(oracleCases('resize'))('PyTorch: $name', (one) => {
    const t = loadCase(one)
    const { shape, data } = tensorOf(t, 'x')
    const [height = 0, width = 0] = shape
    const { resize = 0, size = 0 } = one.attrs
    const actual = reference.resizeCrop(
      { data: Uint8Array.from(data), width, height },
      { resize, size },
    )
    const y = tensorOf(t, 'y')
    expect(actual.shape).toEqual(y.shape)
    expectClose(actual.data, y.data, y.shape, { relative: ORACLE_TOLERANCE.operator, name: 'y' })
  })

  test('the same extent keeps every byte', () => {
    const data = Uint8Array.from({ length: 4 * 4 * 3 }, (_, i) => i * 5)
    const y = reference.resizeCrop({ data, width: 4, height: 4 }, { resize: 4, size: 4 })
    expect(y.data[0]).toBe(0)
    expect(y.data[16 + 5]).toBe((5 * 3 + 1) * 5 * (1 / 255)) // green of pixel (1, 1)
  })

  test('halves round to the even neighbor', () => {
    expect([0.5, 1.5, 2.5, 3, 2.4, 2.6].map(reference.roundHalfEven)).toEqual([0, 2, 2, 3, 2, 3])
  })

  test('the middle of something too small is an error', () => {
    expect(() =>
      reference.resizeCrop(
        { data: new Uint8Array(12), width: 2, height: 2 },
        { resize: 2, size: 3 },
      ),
    ).toThrow(RangeError)
  })
})

describe('cropFlipNormalize', () => {
  const x = ndArray(
    Array.from({ length: 3 * 2 * 3 }, (_, i) => i),
    [3, 2, 3],
  )
  const options = {
    top: 0,
    left: 1,
    size: 2,
    flip: false,
    mean: [1, 2, 3],
    std: [1, 2, 4],
    scale: 1,
    order: 'rgb',
  } as const

  test('crops and normalizes by output channel', () => {
    expect([...reference.cropFlipNormalize(x, options).data]).toEqual([
      0, 1, 3, 4, 2.5, 3, 4, 4.5, 2.5, 2.75, 3.25, 3.5,
    ])
  })

  test('flips inside the crop, swaps red and blue, scales before the mean', () => {
    const y = reference.cropFlipNormalize(x, { ...options, flip: true, order: 'bgr', scale: 10 })
    expect([...y.data.slice(0, 4)]).toEqual([139, 129, 169, 159])
  })

  test('a crop outside the image is an error', () => {
    expect(() => reference.cropFlipNormalize(x, { ...options, left: 2 })).toThrow(RangeError)
  })
})
