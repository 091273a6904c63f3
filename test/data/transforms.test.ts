import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { ShapeError, UsageError } from '../../src/base/errors.ts'
import {
  centerOffset,
  preprocessImages,
  resizeCrop,
  viewImages,
} from '../../src/data/transforms.ts'
import { caffeNormalization, imageNetNormalization } from '../../src/nn/alexnet.ts'
import type { Preprocess } from '../../src/nn/preprocess.ts'
import { randomImage } from '../../src/reference/random.ts'
import * as reference from '../../src/reference/resizeCrop.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { loadCase, ORACLE_TOLERANCE, oracleCases, tensorOf } from '../support/oracle.ts'

const engine = await testEngine()

const imageNet: Preprocess = {
  size: 8,
  resize: 9,
  ...imageNetNormalization,
}
const caffe: Preprocess = {
  size: 8,
  resize: 9,
  ...caffeNormalization,
}

/** The n-th image of a batch [N, 3, size, size]. */
const slotOf = (data: Float32Array, n: number, size: number) =>
  data.subarray(n * 3 * size * size, (n + 1) * 3 * size * size)

describe('resizeCrop', () => {
  test.each(oracleCases('resize'))('PyTorch: $name', async (one) => {
    const t = loadCase(one)
    const [x, y] = [tensorOf(t, 'x'), tensorOf(t, 'y')]
    const [height = 0, width = 0] = x.shape
    const { resize = 0, size = 0 } = one.attrs
    const result = resizeCrop(
      engine,
      { data: Uint8Array.from(x.data), width, height },
      { resize, size },
    )
    expect(result.shape).toEqual([1, ...y.shape])
    expectClose(await result.data(), y.data, y.shape, { relative: ORACLE_TOLERANCE.operator })
    result.dispose()
  })

  test('float64: sides from 1 pixel on, up and down', async () => {
    const side = fc.oneof(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 90 }),
      fc.constant(211),
    )
    await fc.assert(
      fc.asyncProperty(
        side,
        side,
        fc.integer({ min: 1, max: 40 }),
        fc.nat(),
        async (width, height, resize, seed) => {
          const size = 1 + (seed % resize)
          const image = randomImage(width, height, seed)
          const y = resizeCrop(engine, image, { resize, size })
          expectClose(
            await y.data(),
            reference.resizeCrop(image, { resize, size }).data,
            [3, size, size],
            { relative: 1e-6 },
          )
          y.dispose()
        },
      ),
      { numRuns: 60 },
    )
  })

  test('an image of more than 16 MiB passes through in bands, and the next one takes its buffers', async () => {
    engine.gpu.trim()
    const create = vi.spyOn(engine.gpu.device, 'createBuffer')
    const image = randomImage(5800, 1000)
    const y = preprocessImages(engine, [image, image], {
      ...caffe,
      resize: 5,
      size: 5,
      mean: [0, 0, 0],
      scale: 1,
      order: 'rgb',
    })
    const large = create.mock.calls.filter(([{ size }]) => size > 2 ** 20)
    create.mockRestore()
    expect(large.map(([{ size }]) => size)).toEqual([16 * 2 ** 20])
    const { data } = reference.resizeCrop(image, { resize: 5, size: 5 })
    expectClose(await y.data(), [...data, ...data], [2, 3, 5, 5], { relative: 1e-6 })
    y.dispose()
    engine.gpu.trim()
  })

  test('a view of a larger buffer, at an odd address', async () => {
    const { data } = randomImage(5, 7)
    const bytes = new Uint8Array(data.length + 3)
    bytes.set(data, 3)
    const [a, b] = [data, bytes.subarray(3)].map((pixels) =>
      resizeCrop(engine, { data: pixels, width: 5, height: 7 }, { resize: 5, size: 5 }),
    )
    expect(await b?.data()).toEqual(await a?.data())
    a?.dispose()
    b?.dispose()
  })

  test('values are bytes over 255 where nothing is resized', async () => {
    const image = {
      data: Uint8Array.from({ length: 3 * 256 }, (_, i) => Math.floor(i / 3)),
      width: 16,
      height: 16,
    }
    const y = resizeCrop(engine, image, { resize: 16, size: 16 })
    expectClose(
      await y.data(),
      Array.from({ length: 3 * 256 }, (_, i) => (i % 256) / 255),
      [3, 16, 16],
      { relative: 1e-7 },
    )
    y.dispose()
  })

  test.each<[string, () => unknown, typeof UsageError | typeof ShapeError, string]>([
    [
      'a cut larger than the image',
      () => resizeCrop(engine, randomImage(9, 9), { resize: 4, size: 5 }),
      UsageError,
      'resizeCrop: cannot cut 5 x 5 out of an image whose shorter side is 4: make resize larger',
    ],
    [
      'too few bytes',
      () =>
        resizeCrop(
          engine,
          { data: new Uint8Array(11), width: 2, height: 2 },
          { resize: 4, size: 4 },
        ),
      ShapeError,
      'resizeCrop: an image of 2 x 2 has 12 bytes of RGB, but 11 were given',
    ],
    [
      'four bytes a pixel',
      () => preprocessImages(engine, [{ data: new Uint8Array(16), width: 2, height: 2 }], imageNet),
      ShapeError,
      'preprocessImages: an image of 2 x 2 has 12 bytes of RGB, but 16 were given',
    ],
    [
      'no pixels',
      () => preprocessImages(engine, [{ data: new Uint8Array(0), width: 0, height: 2 }], imageNet),
      UsageError,
      'preprocessImages: width is 0: give a positive integer',
    ],
    [
      'half a pixel',
      () => resizeCrop(engine, randomImage(2, 2), { resize: 4.5, size: 4 }),
      UsageError,
      'resizeCrop: resize is 4.5: give a positive integer',
    ],
    [
      'no size',
      () => resizeCrop(engine, randomImage(2, 2), { resize: 4 } as Preprocess),
      UsageError,
      'resizeCrop: size is undefined: give a positive integer',
    ],
    [
      'an unknown option',
      () =>
        resizeCrop(engine, randomImage(2, 2), {
          resize: 4,
          size: 4,
          antialias: false,
        } as object as Preprocess),
      UsageError,
      'resizeCrop: there is no option antialias; it takes resize, size',
    ],
    [
      'no images',
      () => preprocessImages(engine, [], imageNet),
      UsageError,
      'preprocessImages: there are no images',
    ],
    [
      'a deviation of 0',
      () => preprocessImages(engine, [randomImage(2, 2)], { ...imageNet, std: [1, 0, 1] }),
      UsageError,
      'preprocessImages: mean, std and scale are finite, and std is not 0',
    ],
    [
      'an unknown order',
      () =>
        preprocessImages(engine, [randomImage(2, 2)], {
          ...imageNet,
          order: 'grb',
        } as object as Preprocess),
      UsageError,
      'preprocessImages: order is rgb or bgr, not grb',
    ],
    [
      'nothing to see',
      () => viewImages(engine, [], imageNet),
      UsageError,
      'viewImages: there are no images',
    ],
  ])('%s', (_, run, type, message) => {
    const before = engine.memory()
    expect(run).toThrow(new type(message))
    expect(run).toThrow(type)
    expect(engine.memory()).toEqual({ ...before, peakBytes: engine.memory().peakBytes })
  })
})

describe('preprocessImages', () => {
  test.each([imageNet, caffe])(
    'float64: images of different sizes in one batch, $order',
    async (preprocess) => {
      const images = [
        randomImage(20, 31, 1),
        randomImage(9, 9, 2),
        randomImage(3, 50, 3),
        randomImage(1, 1, 4),
      ]
      const before = engine.memory()
      const y = preprocessImages(engine, images, preprocess)
      expect(engine.memory().buffers).toBe(before.buffers + 1)
      const data = await y.data()
      for (const [n, image] of images.entries()) {
        const cut = reference.resizeCrop(image, preprocess)
        const expected = reference.cropFlipNormalize(cut, {
          ...preprocess,
          top: 0,
          left: 0,
          flip: false,
        })
        expectClose(slotOf(data, n, 8), expected.data, [3, 8, 8], {
          relative: 1e-6,
          absolute: preprocess.scale * 4e-7,
        })
      }
      y.dispose()
    },
  )
})

describe('windows', () => {
  test.each([
    [341, 224, 58],
    [343, 224, 60],
    [224, 224, 0],
    [225, 224, 0],
    [227, 224, 2],
    [3, 8, -2],
    [4, 8, -2],
  ])('the middle of %i for %i begins at %i', (n, size, offset) => {
    expect(centerOffset(n, size)).toBe(offset)
    expect(centerOffset(n, size)).toBe(reference.roundHalfEven((n - size) / 2) + 0)
  })

  test('centerOffset takes positive integers', () => {
    expect(() => centerOffset(0, 4)).toThrow(UsageError)
    expect(() => centerOffset(4, 1.5)).toThrow(UsageError)
  })
})
