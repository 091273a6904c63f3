import { mkdir, writeFile } from 'node:fs/promises'
import sharp, { type Sharp } from 'sharp'
import { describe, expect, it } from 'vitest'
import { decodeImage, type RgbImage } from '../../../src/host/node/decode.ts'
import { dataErrorOf, plainPng, useTempFolder } from '../../data/images.ts'

type Rgb = [number, number, number]

const inTemp = useTempFolder()

function pixel({ data, width }: RgbImage, x: number, y: number): number[] {
  return [...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)]
}

function furthest(actual: readonly number[], expected: readonly number[]): number {
  return Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN))))
}

/** Rows of pixels as sharp's raw input. */
function raw(channels: 1 | 2 | 3 | 4, rows: number[][][], bits: 8 | 16 = 8): Sharp {
  const values = rows.flat(2)
  const data = bits === 8 ? Uint8Array.from(values) : Uint16Array.from(values)
  return sharp(data, { raw: { width: rows[0]?.length ?? 0, height: rows.length, channels } })
}

const PALETTE: Rgb[][] = [
  [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
  ],
  [
    [10, 20, 30],
    [200, 150, 100],
    [255, 255, 255],
  ],
]

function plain(r: number, g: number, b: number): Sharp {
  return sharp({ create: { width: 32, height: 16, channels: 3, background: { r, g, b } } })
}

describe('formats', () => {
  it.each<[string, (image: Sharp) => Sharp]>([
    ['PNG', (image) => image.png()],
    ['interlaced PNG', (image) => image.png({ progressive: true })],
    ['palette PNG', (image) => image.png({ palette: true })],
    ['lossless WebP', (image) => image.webp({ lossless: true })],
  ])('%s gives the exact pixels', async (_name, encode) => {
    const image = await decodeImage(await encode(raw(3, PALETTE)).toBuffer())
    expect({ width: image.width, height: image.height }).toEqual({ width: 3, height: 2 })
    expect([...image.data]).toEqual(PALETTE.flat(2))
    expect(image.data.constructor).toBe(Uint8Array)
  })

  it.each<[string, (image: Sharp) => Sharp]>([
    ['JPEG', (image) => image.jpeg({ quality: 95 })],
    ['progressive JPEG', (image) => image.jpeg({ quality: 95, progressive: true })],
    ['lossy WebP', (image) => image.webp({ quality: 95 })],
  ])('%s gives the pixels within its loss', async (_name, encode) => {
    const image = await decodeImage(await encode(plain(200, 120, 40)).toBuffer())
    expect(image.data.length).toBe(32 * 16 * 3)
    expect(furthest(pixel(image, 20, 9), [200, 120, 40])).toBeLessThanOrEqual(4)
  })

  it('reads a file, whatever its extension says', async () => {
    await writeFile(inTemp('really-a-png.JPG'), await plainPng(1, 2, 3))
    expect(pixel(await decodeImage(inTemp('really-a-png.JPG')), 3, 2)).toEqual([1, 2, 3])
  })

  it('takes a view into a larger buffer', async () => {
    const bytes = await plainPng(7, 8, 9)
    const padded = new Uint8Array(bytes.length + 20)
    padded.set(bytes, 10)
    expect(pixel(await decodeImage(padded.subarray(10, 10 + bytes.length)), 0, 0)).toEqual([
      7, 8, 9,
    ])
  })

  it('takes the first frame of an animation', async () => {
    const frames = raw(3, [...new Array(4).fill([[9, 9, 9]]), ...new Array(4).fill([[99, 99, 99]])])
    const first = await frames.png().toBuffer()
    const animated = await sharp([first, await plainPng(50, 60, 70, 1, 8)], {
      join: { animated: true },
    })
      .webp({ lossless: true })
      .toBuffer()
    const image = await decodeImage(animated)
    expect([image.width, image.height]).toEqual([1, 8])
    expect(pixel(image, 0, 0)).toEqual([9, 9, 9])
  })
})

describe('color', () => {
  const grays = [[[0], [77], [255]]]

  it.each<[string, () => Sharp]>([
    ['8-bit gray PNG', () => raw(1, grays).toColorspace('b-w').png()],
    [
      '16-bit gray PNG',
      () =>
        raw(1, [[[0], [77 * 257], [65535]]], 16)
          .toColorspace('grey16')
          .png(),
    ],
  ])('%s becomes RGB', async (_name, encode) => {
    const bytes = await encode().toBuffer()
    expect((await sharp(bytes).metadata()).channels).toBe(1)
    expect([...(await decodeImage(bytes)).data]).toEqual([0, 0, 0, 77, 77, 77, 255, 255, 255])
  })

  it('gray JPEG becomes RGB', async () => {
    const bytes = await plain(77, 77, 77).toColorspace('b-w').jpeg().toBuffer()
    expect((await sharp(bytes).metadata()).channels).toBe(1)
    expect(furthest(pixel(await decodeImage(bytes), 5, 5), [77, 77, 77])).toBeLessThanOrEqual(1)
  })

  it('16-bit RGB PNG becomes 8-bit', async () => {
    const bytes = await raw(3, [[[0, 128 * 257, 65535]]], 16)
      .toColorspace('rgb16')
      .png()
      .toBuffer()
    expect((await sharp(bytes).metadata()).depth).toBe('ushort')
    expect([...(await decodeImage(bytes)).data]).toEqual([0, 128, 255])
  })

  const blended = (value: number, alpha: number): number => 255 + ((value - 255) * alpha) / 255

  it.each<[string, number, (image: Sharp) => Sharp]>([
    ['PNG', 0, (image) => image.png()],
    ['lossless WebP', 0, (image) => image.webp({ lossless: true, exact: true })],
  ])('%s with alpha is composited on white', async (_name, _tolerance, encode) => {
    const rows = [
      [
        [0, 100, 200, 255],
        [0, 100, 200, 128],
        [0, 100, 200, 0],
      ],
    ]
    const image = await decodeImage(await encode(raw(4, rows)).toBuffer())
    const expected = [255, 128, 0].flatMap((alpha) =>
      [0, 100, 200].map((value) => blended(value, alpha)),
    )
    expect(image.data.length).toBe(9)
    expect(furthest([...image.data], expected)).toBeLessThanOrEqual(1)
  })

  it('gray with alpha is composited on white', async () => {
    const bytes = await raw(2, [
      [
        [40, 255],
        [40, 128],
        [40, 0],
      ],
    ])
      .png()
      .toBuffer()
    const image = await decodeImage(bytes)
    const expected = [255, 128, 0].flatMap((alpha) => new Array<number>(3).fill(blended(40, alpha)))
    expect(furthest([...image.data], expected)).toBeLessThanOrEqual(1)
  })

  it('16-bit RGB with alpha is composited on white', async () => {
    const row = [65535, 128 * 257, 0].map((alpha) => [0, 100 * 257, 200 * 257, alpha])
    const bytes = await raw(4, [row], 16).toColorspace('rgb16').png().toBuffer()
    const image = await decodeImage(bytes)
    const expected = [255, 128, 0].flatMap((alpha) =>
      [0, 100, 200].map((value) => blended(value, alpha)),
    )
    expect(furthest([...image.data], expected)).toBeLessThanOrEqual(1)
  })

  it('a palette with a transparent entry is composited on white', async () => {
    const bytes = await raw(4, [
      [
        [255, 0, 0, 255],
        [0, 0, 0, 0],
      ],
    ])
      .png({ palette: true })
      .toBuffer()
    expect((await sharp(bytes).metadata()).isPalette).toBe(true)
    expect([...(await decodeImage(bytes)).data]).toEqual([255, 0, 0, 255, 255, 255])
  })

  it.each<Rgb>([
    [255, 255, 255],
    [120, 100, 90],
    [200, 180, 160],
  ])('CMYK JPEG of (%i, %i, %i) becomes RGB', async (...rgb) => {
    const bytes = await plain(...rgb)
      .toColorspace('cmyk')
      .jpeg({ quality: 100 })
      .toBuffer()
    expect((await sharp(bytes).metadata()).space).toBe('cmyk')
    const image = await decodeImage(bytes)
    expect(image.data.length).toBe(32 * 16 * 3)
    expect(furthest(pixel(image, 3, 3), rgb)).toBeLessThanOrEqual(12)
  })

  it('an embedded color profile is converted to sRGB', async () => {
    const bytes = await plain(200, 80, 60).withIccProfile('p3').png().toBuffer()
    const stored = await sharp(bytes, { ignoreIcc: true }).raw().toBuffer()
    expect(furthest([...stored.subarray(0, 3)], [200, 80, 60])).toBeGreaterThan(5)
    expect(furthest(pixel(await decodeImage(bytes), 0, 0), [200, 80, 60])).toBeLessThanOrEqual(2)
  })
})

describe('EXIF orientation', () => {
  const width = 48
  const height = 32
  const stored = (x: number, y: number): Rgb => [
    x < width / 2 ? 40 : 220,
    y < height / 2 ? 40 : 220,
    128,
  ]
  /** Where the displayed pixel (x, y) lies in the stored image: EXIF 2.32, tag 274. */
  const origin: Record<number, (x: number, y: number) => [number, number]> = {
    1: (x, y) => [x, y],
    2: (x, y) => [width - 1 - x, y],
    3: (x, y) => [width - 1 - x, height - 1 - y],
    4: (x, y) => [x, height - 1 - y],
    5: (x, y) => [y, x],
    6: (x, y) => [y, height - 1 - x],
    7: (x, y) => [width - 1 - y, height - 1 - x],
    8: (x, y) => [width - 1 - y, x],
  }
  const encoders: Record<string, (image: Sharp) => Sharp> = {
    JPEG: (image) => image.jpeg({ quality: 100, chromaSubsampling: '4:4:4' }),
    WebP: (image) => image.webp({ lossless: true }),
  }
  const cases = Object.keys(encoders).flatMap((format) =>
    [1, 2, 3, 4, 5, 6, 7, 8].map((orientation) => [format, orientation] as const),
  )

  it.each(cases)('%s with orientation %i is turned upright', async (format, orientation) => {
    const rows = Array.from({ length: height }, (_, y) =>
      Array.from({ length: width }, (_, x) => stored(x, y)),
    )
    const encode = encoders[format] ?? ((image) => image)
    const image = await decodeImage(
      await encode(raw(3, rows).withMetadata({ orientation })).toBuffer(),
    )
    const turned = orientation >= 5
    expect([image.width, image.height]).toEqual(turned ? [height, width] : [width, height])
    for (const [x, y] of [
      [4, 4],
      [image.width - 5, 4],
      [4, image.height - 5],
      [image.width - 5, image.height - 5],
    ] as const) {
      const [fromX, fromY] = origin[orientation]?.(x, y) ?? [0, 0]
      expect(furthest(pixel(image, x, y), stored(fromX, fromY))).toBeLessThanOrEqual(4)
    }
  })
})

describe('images that cannot be decoded', () => {
  const noise = (): Sharp => {
    let state = 1
    const data = Uint8Array.from({ length: 64 * 64 * 3 }, () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return state >>> 24
    })
    return sharp(data, { raw: { width: 64, height: 64, channels: 3 } })
  }

  it.each<[string, (image: Sharp) => Sharp]>([
    ['JPEG', (image) => image.jpeg()],
    ['JPEG', (image) => image.jpeg({ progressive: true })],
    ['PNG', (image) => image.png()],
    ['WebP', (image) => image.webp()],
    ['WebP', (image) => image.webp({ lossless: true })],
  ])('a %s cut short, wherever', async (format, encode) => {
    const bytes = await encode(noise()).toBuffer()
    for (const share of [0.01, 0.1, 0.5, 0.9, 0.99]) {
      await writeFile(
        inTemp('cut'),
        bytes.subarray(0, Math.max(12, Math.floor(share * bytes.length))),
      )
      const { message } = await dataErrorOf(decodeImage(inTemp('cut')))
      const start = `${inTemp('cut')}: the ${format} file is cut short or damaged (`
      expect(message.slice(0, start.length)).toBe(start)
      expect(message).toMatch(/\([^()]{5,}\)$/)
    }
  })

  it('says what libvips says, once', async () => {
    const bytes = await noise().jpeg().toBuffer()
    const { message } = await dataErrorOf(decodeImage(bytes.subarray(0, 200)))
    expect(message).toBe(
      'image in memory: the JPEG file is cut short or damaged (premature end of JPEG image)',
    )
  })

  it('a PNG with a wrong checksum', async () => {
    const bytes = await noise().png().toBuffer()
    const middle = bytes.length >> 1
    bytes[middle] = (bytes[middle] ?? 0) ^ 0xff
    expect((await dataErrorOf(decodeImage(bytes))).message).toContain(
      'the PNG file is cut short or damaged (',
    )
  })

  it.each<[string, string | Uint8Array, string]>([
    ['text', 'hello\n', 'it holds text)'],
    ['an SVG', '<svg xmlns="http://www.w3.org/2000/svg" width="5" height="5"/>', 'it is an SVG)'],
    ['anything else', Uint8Array.from([1, 2, 3]), 'its first bytes are not those of an image)'],
  ])('%s named .png', async (_name, content, reason) => {
    await writeFile(inTemp('wrong.png'), content)
    const { message, code } = await dataErrorOf(decodeImage(inTemp('wrong.png')))
    const start = `${inTemp('wrong.png')}: not a JPEG, PNG or WebP image (${reason}`
    expect(message.slice(0, start.length)).toBe(start)
    expect(code).toBe('data')
  })

  it('an empty file, a folder, a missing file', async () => {
    await writeFile(inTemp('empty.png'), '')
    await mkdir(inTemp('folder.png'))
    expect((await dataErrorOf(decodeImage(inTemp('empty.png')))).message).toBe(
      `${inTemp('empty.png')}: the file is empty`,
    )
    expect((await dataErrorOf(decodeImage(inTemp('folder.png')))).message).toBe(
      `${inTemp('folder.png')}: this is a folder, not an image`,
    )
    expect((await dataErrorOf(decodeImage(inTemp('none.png')))).message).toBe(
      `${inTemp('none.png')}: there is no such file`,
    )
  })

  it('is called by the name given', async () => {
    expect((await dataErrorOf(decodeImage(new Uint8Array(0), 'cat/1.png'))).message).toBe(
      'cat/1.png: the file is empty',
    )
    expect((await dataErrorOf(decodeImage(new Uint8Array(0)))).message).toBe(
      'image in memory: the file is empty',
    )
  })
})
