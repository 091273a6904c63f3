import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { RgbImage } from '../../src/data/decode.ts'
import { centreOffset, crop, preprocessImages, randomWindow, resizeCrop, resizeTo } from '../../src/data/transforms.ts'
import { ShapeError, UsageError } from '../../src/gpu/errors.ts'
import type { Preprocess } from '../../src/nn/preprocess.ts'
import { type NdArray, ndArray } from '../../src/reference/ndarray.ts'
import * as reference from '../../src/reference/resizeCrop.ts'
import { Random } from '../../src/tensor/philox.ts'
import { exact, expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { loadCase, ORACLE_TOLERANCE, oracleCases, tensorOf } from '../support/oracle.ts'

const engine = await testEngine()

function picture(width: number, height: number, seed = 1): RgbImage {
  const random = new Random(seed)
  return { data: Uint8Array.from({ length: 3 * width * height }, () => random.below(256)), width, height }
}

const imageNet: Preprocess = { size: 8, resize: 9, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], scale: 1, order: 'rgb' }
const caffe: Preprocess = { size: 8, resize: 9, mean: [104, 117, 123], std: [1, 1, 1], scale: 255, order: 'bgr' }

/** The n-th picture of a batch [N, 3, size, size]. */
const slotOf = (data: Float32Array, n: number, size: number) => data.subarray(n * 3 * size * size, (n + 1) * 3 * size * size)

describe('resizeCrop', () => {
  test.each(oracleCases('resize'))('PyTorch: $name', async (one) => {
    const t = loadCase(one)
    const [x, y] = [tensorOf(t, 'x'), tensorOf(t, 'y')]
    const [height = 0, width = 0] = x.shape
    const { resize = 0, size = 0 } = one.attrs
    const result = resizeCrop(engine, { data: Uint8Array.from(x.data), width, height }, { resize, size })
    expect(result.shape).toEqual([1, ...y.shape])
    expectClose(await result.data(), y.data, y.shape, { relative: ORACLE_TOLERANCE.operator })
    result.dispose()
  })

  test('float64: sides from 1 pixel on, up and down', async () => {
    const side = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 90 }), fc.constant(211))
    await fc.assert(
      fc.asyncProperty(side, side, fc.integer({ min: 1, max: 40 }), fc.nat(), async (width, height, resize, seed) => {
        const size = 1 + (seed % resize)
        const image = picture(width, height, seed)
        const y = resizeCrop(engine, image, { resize, size })
        expectClose(await y.data(), reference.resizeCrop(image, { resize, size }).data, [3, size, size], { relative: 1e-6 })
        y.dispose()
      }),
      { numRuns: 60 },
    )
  })

  test('a picture of more than 16 MiB passes through in bands, and the next one takes its buffers', async () => {
    engine.gpu.trim()
    const create = vi.spyOn(engine.gpu.device, 'createBuffer')
    const image = picture(5800, 1000)
    const y = preprocessImages(engine, [image, image], { ...caffe, resize: 5, size: 5, mean: [0, 0, 0], scale: 1, order: 'rgb' })
    const large = create.mock.calls.filter(([{ size }]) => size > 2 ** 20)
    create.mockRestore()
    expect(large.map(([{ size }]) => size)).toEqual([16 * 2 ** 20])
    const { data } = reference.resizeCrop(image, { resize: 5, size: 5 })
    expectClose(await y.data(), [...data, ...data], [2, 3, 5, 5], { relative: 1e-6 })
    y.dispose()
    engine.gpu.trim()
  })

  test('a view of a larger buffer, at an odd address', async () => {
    const { data } = picture(5, 7)
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
    const image = { data: Uint8Array.from({ length: 3 * 256 }, (_, i) => Math.floor(i / 3)), width: 16, height: 16 }
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
      'a cut larger than the picture',
      () => resizeCrop(engine, picture(9, 9), { resize: 4, size: 5 }),
      UsageError,
      'resizeCrop: cannot cut 5 x 5 out of a picture whose shorter side is 4: make resize larger',
    ],
    [
      'too few bytes',
      () => resizeCrop(engine, { data: new Uint8Array(11), width: 2, height: 2 }, { resize: 4, size: 4 }),
      ShapeError,
      'resizeCrop: a picture of 2 x 2 has 12 bytes of RGB, but 11 were given',
    ],
    [
      'four bytes a pixel',
      () => preprocessImages(engine, [{ data: new Uint8Array(16), width: 2, height: 2 }], imageNet),
      ShapeError,
      'preprocessImages: a picture of 2 x 2 has 12 bytes of RGB, but 16 were given',
    ],
    [
      'no pixels',
      () => resizeTo(engine, { data: new Uint8Array(0), width: 0, height: 2 }, 4),
      UsageError,
      'resizeTo: width is 0: give a positive integer',
    ],
    ['half a pixel', () => resizeTo(engine, picture(2, 2), 1.5), UsageError, 'resizeTo: resize is 1.5: give a positive integer'],
    [
      'no size',
      () => resizeCrop(engine, picture(2, 2), { resize: 4 } as Preprocess),
      UsageError,
      'resizeCrop: size is undefined: give a positive integer',
    ],
    [
      'an unknown option',
      () => resizeCrop(engine, picture(2, 2), { resize: 4, size: 4, antialias: false } as object as Preprocess),
      UsageError,
      'resizeCrop: there is no option antialias; it takes resize, size',
    ],
    ['no pictures', () => preprocessImages(engine, [], imageNet), UsageError, 'preprocessImages: there are no pictures'],
    [
      'a deviation of 0',
      () => preprocessImages(engine, [picture(2, 2)], { ...imageNet, std: [1, 0, 1] }),
      UsageError,
      'preprocessImages: mean, std and scale are finite, and std is not 0',
    ],
    [
      'an unknown order',
      () => preprocessImages(engine, [picture(2, 2)], { ...imageNet, order: 'grb' } as object as Preprocess),
      UsageError,
      'preprocessImages: order is rgb or bgr, not grb',
    ],
    ['nothing to crop', () => crop(engine, [], imageNet), UsageError, 'crop: there are no pictures'],
  ])('%s', (_, run, type, message) => {
    const before = engine.memory()
    expect(run).toThrow(new type(message))
    expect(run).toThrow(type)
    expect(engine.memory()).toEqual({ ...before, peakBytes: engine.memory().peakBytes })
  })
})

describe('resizeTo', () => {
  test('is what resizeCrop cuts the middle out of', async () => {
    for (const [width, height] of [
      [31, 20],
      [20, 47],
      [13, 13],
    ] as const) {
      const image = picture(width, height)
      const whole = resizeTo(engine, image, 16)
      const middle = resizeCrop(engine, image, { resize: 16, size: 11 })
      const [, h = 0, w = 0] = whole.shape
      expect([h, w]).toEqual(height < width ? [16, Math.floor((16 * width) / height)] : [Math.floor((16 * height) / width), 16])
      const window = { top: centreOffset(h, 11), left: centreOffset(w, 11), size: 11, flip: false }
      const cut = reference.cropFlipNormalise(ndArray(await whole.data(), [3, h, w]), {
        ...window,
        mean: [0, 0, 0],
        std: [1, 1, 1],
        scale: 1,
        order: 'rgb',
      })
      expectClose(await middle.data(), cut.data, [3, 11, 11], exact)
      whole.dispose()
      middle.dispose()
    }
  })

  test('the grid wraps', async () => {
    const image = picture(1, 65_535 + 300)
    const y = resizeTo(engine, image, 1)
    expect(y.shape).toEqual([3, image.height, 1])
    const planes = [0, 1, 2].flatMap((c) => Array.from({ length: image.height }, (_, i) => (image.data[3 * i + c] ?? 0) / 255))
    expectClose(await y.data(), planes, y.shape, { relative: 1e-7 })
    y.dispose()
  })

  test('pictures of many sizes share buffers', () => {
    const before = engine.memory().buffers
    const create = vi.spyOn(engine.gpu.device, 'createBuffer')
    for (let i = 0; i < 200; i++) {
      resizeTo(engine, picture(60 + (i % 20), 60 + (i % 17)), 32).dispose()
      engine.gpu.submit()
    }
    const created = create.mock.calls.length
    create.mockRestore()
    expect(engine.memory().buffers).toBe(before)
    expect(created).toBeLessThan(40)
  })
})

/** x with `by` more pixels on every side, copies of its edge. */
function padEdges(x: NdArray, by: number): NdArray {
  const [, h = 0, w = 0] = x.shape
  const near = (i: number, n: number) => Math.min(Math.max(i - by, 0), n - 1)
  const [height, width] = [h + 2 * by, w + 2 * by]
  const data = Float64Array.from({ length: 3 * height * width }, (_, i) => {
    const c = Math.floor(i / (height * width))
    return x.data[(c * h + near(Math.floor(i / width) % height, h)) * w + near(i % width, w)] ?? Number.NaN
  })
  return ndArray(data, [3, height, width])
}

describe('crop', () => {
  test('float64: any window, inside or beyond, flipped or not, in any slot', async () => {
    const extent = fc.integer({ min: 1, max: 30 })
    const one = fc.record({
      height: extent,
      width: extent,
      top: fc.integer({ min: -9, max: 30 }),
      left: fc.integer({ min: -9, max: 30 }),
      flip: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(one, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 70 }),
        fc.constantFrom(imageNet, caffe),
        fc.nat(),
        async (wanted, size, preprocess, seed) => {
          const random = new Random(seed)
          const pictures = wanted.map(({ height, width, ...window }) => {
            const data = Float32Array.from({ length: 3 * height * width }, () => random.uniform())
            return { data, tensor: engine.tensor(data, [3, height, width]), ...window }
          })
          const y = crop(engine, pictures, { ...preprocess, size })
          expect(y.shape).toEqual([wanted.length, 3, size, size])
          const data = await y.data()
          for (const [n, { data: values, tensor, top, left, flip }] of pictures.entries()) {
            const padded = padEdges(ndArray(values, tensor.shape), 100)
            const expected = reference.cropFlipNormalise(padded, { ...preprocess, top: top + 100, left: left + 100, size, flip })
            // Near the mean the difference is small and its rounding is that of the value, up to 255 · 2^-24 (over a deviation of 0.2 for ImageNet's).
            expectClose(slotOf(data, n, size), expected.data, [3, size, size], { relative: 1e-6, absolute: preprocess.scale * 4e-7 })
            tensor.dispose()
          }
          y.dispose()
        },
      ),
      { numRuns: 40 },
    )
  })

  test('tensors of another shape, and corners between pixels', () => {
    const flat = engine.tensor(new Float32Array(9), [1, 3, 3])
    const fine = engine.tensor(new Float32Array(27), [3, 3, 3])
    const window = { top: 0, left: 0, flip: false }
    expect(() => crop(engine, [{ tensor: flat, ...window }], imageNet)).toThrow(
      new ShapeError('crop takes pictures of shape [3, height, width], not [1, 3, 3]'),
    )
    expect(() => crop(engine, [{ tensor: fine, ...window, top: 0.5 }], imageNet)).toThrow(
      new ShapeError('crop: a window begins at integers, not at 0.5, 0'),
    )
    flat.dispose()
    fine.dispose()
  })
})

describe('preprocessImages', () => {
  test.each([imageNet, caffe])('float64: pictures of different sizes in one batch, $order', async (preprocess) => {
    const images = [picture(20, 31, 1), picture(9, 9, 2), picture(3, 50, 3), picture(1, 1, 4)]
    const before = engine.memory()
    const y = preprocessImages(engine, images, preprocess)
    expect(engine.memory().buffers).toBe(before.buffers + 1)
    const data = await y.data()
    for (const [n, image] of images.entries()) {
      const cut = reference.resizeCrop(image, preprocess)
      const expected = reference.cropFlipNormalise(cut, { ...preprocess, top: 0, left: 0, flip: false })
      expectClose(slotOf(data, n, 8), expected.data, [3, 8, 8], { relative: 1e-6, absolute: preprocess.scale * 4e-7 })
    }
    y.dispose()
  })

  test('is the middle crop of the resized picture', async () => {
    const image = picture(23, 17)
    const tensor = resizeTo(engine, image, 9)
    const [, h = 0, w = 0] = tensor.shape
    const a = preprocessImages(engine, [image], caffe)
    const b = crop(engine, [{ tensor, top: centreOffset(h, 8), left: centreOffset(w, 8), flip: false }], caffe)
    const [x, y] = await engine.read([a, b])
    expectClose(x ?? [], y ?? [], [1, 3, 8, 8], { relative: 1e-6 })
    for (const one of [tensor, a, b]) one.dispose()
  })
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
    expect(centreOffset(n, size)).toBe(offset)
    expect(centreOffset(n, size)).toBe(reference.roundHalfEven((n - size) / 2) + 0)
  })

  test('centreOffset takes positive integers', () => {
    expect(() => centreOffset(0, 4)).toThrow(UsageError)
    expect(() => centreOffset(4, 1.5)).toThrow(UsageError)
  })

  test('random ones reach every place, stay inside, and repeat from their seed', () => {
    const draw = () => {
      const random = new Random(3, 5)
      return Array.from({ length: 400 }, () => randomWindow(random, 10, 12, 8))
    }
    const windows = draw()
    expect(draw()).toEqual(windows)
    const seen = (values: readonly number[]) => [...new Set(values)].sort((a, b) => a - b)
    expect(seen(windows.map(({ top }) => top))).toEqual([0, 1, 2])
    expect(seen(windows.map(({ left }) => left))).toEqual([0, 1, 2, 3, 4])
    const flips = windows.filter(({ flip }) => flip).length
    expect(flips).toBeGreaterThan(150)
    expect(flips).toBeLessThan(250)
  })

  test('along a side that is too short they are centred, and take as many numbers', () => {
    const [a, b] = [new Random(1), new Random(1)]
    expect(randomWindow(a, 4, 8, 8)).toMatchObject({ top: -2, left: 0 })
    randomWindow(b, 100, 100, 8)
    expect(a.uint32()).toBe(b.uint32())
  })
})
