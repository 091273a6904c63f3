import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { UsageError } from '../../src/base/errors.ts'
import { Random } from '../../src/base/random.ts'
import {
  type Augmentation,
  type AugmentDraw,
  augmentationOf,
  augmentations,
  drawAugmentation,
} from '../../src/data/augment.ts'
import { augmentImages } from '../../src/data/augmentImages.ts'
import { preprocessImages, viewImages } from '../../src/data/transforms.ts'
import { partView, type Rect, type View, windowView } from '../../src/data/view.ts'
import type { RgbImage } from '../../src/host/node/decode.ts'
import { caffeNormalization, imageNetNormalization } from '../../src/nn/alexnet.ts'
import type { Preprocess } from '../../src/nn/preprocess.ts'
import { augment as reference } from '../../src/reference/augment.ts'
import { randomImage } from '../../src/reference/random.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'

const engine = await testEngine()
const imageNet: Preprocess = {
  size: 12,
  resize: 12,
  ...imageNetNormalization,
}
const caffe: Preprocess = {
  size: 12,
  resize: 14,
  ...caffeNormalization,
}
const still = { rotation: 0, colors: [], erased: null }

/**
 * Values in 0..1 carry the rounding of a few dozen operations, 1e-6; the point a turn reads from is
 * off by up to 2e-6 pixels, over which a image changes by as much at most. Normalization divides by
 * a deviation (0.22), or multiplies by 255.
 */
const tolerance = ({ scale, std }: Preprocess) => ({
  relative: 1e-5,
  absolute: (4e-6 * scale) / Math.min(...std),
})

describe('torchvision', () => {
  interface Recorded extends Omit<AugmentDraw, 'view'> {
    readonly part: Rect
    readonly flip: boolean
    readonly y: string
  }
  const { rgb, width, height, cases } = JSON.parse(
    readFileSync(new URL('./augmentOracle.json', import.meta.url), 'utf8'),
  ) as {
    readonly rgb: string
    readonly width: number
    readonly height: number
    readonly cases: Readonly<Record<string, Recorded>>
  }
  const image = { data: new Uint8Array(Buffer.from(rgb, 'base64')), width, height }
  const decoded = (text: string) =>
    new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer)

  test.each(Object.entries(cases))('%s', async (_, { part, flip, y: expected, ...rest }) => {
    const draw = { view: partView(part, 12, flip), ...rest }
    const y = augmentImages(engine, [image], [draw], imageNet)
    expect(y.shape).toEqual([1, 3, 12, 12])
    expectClose(await y.data(), decoded(expected), [3, 12, 12], tolerance(imageNet))
    expectClose(
      reference(image, draw, imageNet),
      decoded(expected),
      [3, 12, 12],
      tolerance(imageNet),
    )
    y.dispose()
  })
})

describe('float64', () => {
  const side = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40 }))
  const share = fc.double({ min: 0, max: 1, noNaN: true })

  test('any draw of any augmentation, in any slot', async () => {
    const augmentation = fc.record<Augmentation>(
      {
        crop: fc.constantFrom<Augmentation['crop']>('middle', 'window', [0.05, 0.2], [0.5, 1]),
        flip: share,
        rotation: fc.double({ min: 0, max: 180, noNaN: true }),
        brightness: share,
        contrast: share,
        saturation: share,
        hue: fc.double({ min: 0, max: 0.5, noNaN: true }),
        erase: share,
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(side, side), { minLength: 1, maxLength: 4 }),
        augmentation,
        fc.constantFrom(imageNet, caffe),
        fc.constantFrom(1, 7, 12, 65),
        fc.nat(),
        async (extents, wanted, { resize: _, ...norms }, size, seed) => {
          const preprocess = { ...norms, size, resize: size + (seed % 3) }
          const images = extents.map(([width, height], i) => randomImage(width, height, seed + i))
          const draws = images.map((image, i) =>
            drawAugmentation(new Random(seed, i), augmentationOf(wanted), image, preprocess),
          )
          const before = engine.memory().buffers
          const y = augmentImages(engine, images, draws, preprocess)
          expect(engine.memory().buffers).toBe(before + 1)
          const data = await y.data()
          for (const [n, draw] of draws.entries()) {
            const expected = reference(images[n] as RgbImage, draw, preprocess)
            expectClose(
              data.subarray(n * 3 * size * size, (n + 1) * 3 * size * size),
              expected,
              [3, size, size],
              tolerance(preprocess),
            )
          }
          y.dispose()
        },
      ),
      { numRuns: 60 },
    )
  })

  test('views: any part, any window of it, flipped or not', async () => {
    const view = fc.tuple(
      side,
      side,
      share,
      share,
      share,
      share,
      fc.integer({ min: 12, max: 30 }),
      fc.boolean(),
    )
    await fc.assert(
      fc.asyncProperty(view, fc.nat(), async ([width, height, a, b, c, d, resize, flip], seed) => {
        const [top, left] = [Math.floor(a * (height - 1)), Math.floor(b * (width - 1))]
        const part = {
          top,
          left,
          height: Math.ceil(c * (height - top)) || 1,
          width: Math.ceil(d * (width - left)) || 1,
        }
        const random = new Random(seed)
        const resized = { height: resize, width: 12 + random.below(30) }
        const drawn: View = {
          part,
          resized,
          top: random.below(resize - 11),
          left: random.below(resized.width - 11),
          flip,
        }
        const image = randomImage(width, height, seed)
        const y = viewImages(engine, [{ image, view: drawn }], imageNet)
        expectClose(
          await y.data(),
          reference(image, { view: drawn, ...still }, imageNet),
          [3, 12, 12],
          tolerance(imageNet),
        )
        y.dispose()
      }),
      { numRuns: 60 },
    )
  })

  test('more than 65,535 rows in one launch', async () => {
    // The horizontal pass launches a row of workgroups for each row of the image, the colors' one
    // for each row of every image.
    const tall = randomImage(1, 65_535 + 300)
    const whole = partView({ top: 0, left: 0, height: tall.height, width: 1 }, 4)
    const y = viewImages(engine, [{ image: tall, view: whole }], {
      ...imageNet,
      size: 4,
      resize: 4,
    })
    expectClose(
      await y.data(),
      reference(tall, { view: whole, ...still }, { ...imageNet, size: 4 }),
      [3, 4, 4],
      tolerance(imageNet),
    )
    y.dispose()
    const [image, preprocess] = [randomImage(2, 2), { ...imageNet, size: 64, resize: 64 }]
    const draws = Array.from({ length: 1030 }, (_, i) => ({
      view: windowView(image, preprocess),
      rotation: 0,
      colors: [{ kind: 'brightness', amount: 1 - i / 1100 } as const],
      erased: null,
    }))
    const many = augmentImages(engine, new Array(1030).fill(image), draws, preprocess)
    const data = await many.data()
    const last = reference(image, draws[1029] as AugmentDraw, preprocess)
    expectClose(data.subarray(1029 * 3 * 64 * 64), last, [3, 64, 64], tolerance(preprocess))
    many.dispose()
  })

  test('images of many sizes share buffers', () => {
    const augmentation = augmentationOf('strong')
    const before = engine.memory().buffers
    const create = vi.spyOn(engine.gpu.device, 'createBuffer')
    for (let i = 0; i < 200; i++) {
      const image = randomImage(60 + (i % 20), 60 + (i % 17))
      augmentImages(
        engine,
        [image],
        [drawAugmentation(new Random(i), augmentation, image, imageNet)],
        imageNet,
      ).dispose()
      engine.gpu.submit()
    }
    const created = create.mock.calls.length
    create.mockRestore()
    expect(engine.memory().buffers).toBe(before)
    expect(created).toBeLessThan(60)
  })

  test('what does nothing is what validation sees', async () => {
    const image = randomImage(31, 20)
    const a = augmentImages(
      engine,
      [image],
      [drawAugmentation(new Random(1), {}, image, caffe)],
      caffe,
    )
    const b = preprocessImages(engine, [image], caffe)
    expect(await a.data()).toEqual(await b.data())
    for (const one of [a, b]) one.dispose()
  })
})

describe('drawing', () => {
  const draws = (augmentation: Augmentation, n = 2000, extent = { height: 30, width: 50 }) =>
    Array.from({ length: n }, (_, i) =>
      drawAugmentation(new Random(9, i), augmentation, extent, imageNet),
    )
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length

  test('repeats from its seed, and other streams draw otherwise', () => {
    expect(draws(augmentations.strong, 50)).toEqual(draws(augmentations.strong, 50))
    expect(new Set(draws(augmentations.strong, 50).map((draw) => JSON.stringify(draw))).size).toBe(
      50,
    )
  })

  test('parts cover the share and have the aspect ratio that are asked for, anywhere in the image', () => {
    const parts = draws({ crop: [0.1, 0.4] }).map(({ view }) => view.part)
    for (const { top, left, height, width } of parts) {
      expect(top >= 0 && left >= 0 && top + height <= 30 && left + width <= 50).toBe(true)
      // Both sides are rounded to pixels.
      expect((width - 0.5) / (height + 0.5)).toBeLessThan(4 / 3)
      expect((width + 0.5) / (height - 0.5)).toBeGreaterThan(3 / 4)
      expect((width - 0.5) * (height - 0.5)).toBeLessThan(0.4 * 1500)
      expect((width + 0.5) * (height + 0.5)).toBeGreaterThan(0.1 * 1500)
    }
    // Uniform over the range: the mean of 2,000 has a standard error of 0.2 %.
    expect(mean(parts.map(({ height, width }) => (height * width) / 1500))).toBeCloseTo(0.25, 1)
    expect(new Set(parts.map(({ top }) => top)).size).toBeGreaterThan(15)
  })

  test('an image that no part fits gives its middle', () => {
    for (const { view } of draws({ crop: [0.9, 1] }, 20, { height: 10, width: 100 })) {
      expect(view.part).toEqual({ top: 0, left: 44, height: 10, width: 13 })
    }
    expect(draws({ crop: [0.5, 1] }, 5, { height: 1, width: 1 })[0]?.view.part).toEqual({
      top: 0,
      left: 0,
      height: 1,
      width: 1,
    })
  })

  test('windows reach every place and stay inside', () => {
    const views = draws({ crop: 'window' }, 400, { height: 30, width: 30 }).map(({ view }) => view)
    expect(views[0]?.resized).toEqual({ height: 14, width: 14 })
    for (const side of ['top', 'left'] as const)
      expect([...new Set(views.map((view) => view[side]))].sort()).toEqual([0, 1, 2])
  })

  test('flips, turns, colors and erasures as often and as far as they are asked for', () => {
    const all = draws({
      flip: 0.25,
      rotation: 30,
      brightness: 0.5,
      contrast: 2,
      hue: 0.1,
      erase: 0.4,
    })
    // Five standard errors of a share of 2,000.
    const near = (share: number, wanted: number) =>
      expect(Math.abs(share - wanted)).toBeLessThan(5 * Math.sqrt(0.25 / 2000))
    near(mean(all.map(({ view }) => Number(view.flip))), 0.25)
    near(mean(all.map(({ erased }) => Number(erased !== null))), 0.4)
    const turns = all.map(({ rotation }) => rotation)
    expect(Math.min(...turns)).toBeGreaterThanOrEqual(-30)
    expect(Math.max(...turns)).toBeLessThanOrEqual(30)
    expect(Math.max(...turns) - Math.min(...turns)).toBeGreaterThan(58)
    const amounts = (kind: string) =>
      all.flatMap(({ colors }) =>
        colors.flatMap((change) => (change.kind === kind ? [change.amount] : [])),
      )
    const within = (kind: string, least: number, most: number) => {
      expect(amounts(kind)).toHaveLength(2000)
      expect(Math.min(...amounts(kind))).toBeGreaterThanOrEqual(least)
      expect(Math.max(...amounts(kind))).toBeLessThanOrEqual(most)
    }
    within('brightness', 0.5, 1.5)
    within('contrast', 0, 3)
    within('hue', -0.1, 0.1)
    expect(amounts('saturation')).toEqual([])
    expect(new Set(all.map(({ colors }) => colors.map(({ kind }) => kind).join())).size).toBe(6)
    for (const { erased } of all)
      if (erased)
        expect(erased.top + erased.height <= 12 && erased.left + erased.width <= 12).toBe(true)
  })
})

describe('augmentationOf', () => {
  test('names, fields, and both', () => {
    expect(augmentationOf(true)).toBe(augmentations.standard)
    expect(augmentationOf('light')).toEqual({ crop: 'window', flip: 0.5 })
    expect(augmentationOf('light, rotation=15,flip=0')).toEqual({
      crop: 'window',
      flip: 0,
      rotation: 15,
    })
    expect(augmentationOf('crop=0.5-1')).toEqual({ crop: [0.5, 1] })
    expect(augmentationOf({ hue: 0.1 })).toEqual({ hue: 0.1 })
  })

  test.each<[true | string | Augmentation, string]>([
    [
      'wild',
      "there is no augmentation 'wild'; there are light, standard, strong, and fields such as flip=0.5,rotation=15",
    ],
    [
      'toString',
      "there is no augmentation 'toString'; there are light, standard, strong, and fields such as flip=0.5,rotation=15",
    ],
    ['flip=2', 'augment: flip is 2: give a number from 0 to 1'],
    ['flip=', 'augment: flip is NaN: give a number from 0 to 1'],
    [
      'blur=2',
      'augment has no field blur; it takes crop, flip, rotation, brightness, contrast, saturation, hue, erase',
    ],
    [
      'crop=2-3',
      'augment: crop is middle, window, or a range of shares of the area in (0, 1] such as 0.35-1, not 2,3',
    ],
    [{ hue: 0.7 }, 'augment: hue is 0.7: give a number from 0 to 0.5'],
  ])('%o is refused', (value, message) => {
    expect(() => augmentationOf(value)).toThrow(new UsageError(message))
  })
})
