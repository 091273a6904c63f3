import { readFile } from 'node:fs/promises'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { drawSheet } from '../../src/cli/sheet.ts'
import { preprocessOf } from '../../src/nn/alexnet.ts'
import { graft, truncatedJpeg, Workplace } from './run.ts'

vi.setConfig({ testTimeout: 300_000 })

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

const sheet = async (name: string, ...options: string[]) => {
  const out = place.path(name)
  return {
    out,
    outcome: await graft([
      'show-batch',
      place.photos,
      '--out',
      out,
      '--count',
      '4',
      '--epochs',
      '3',
      '--json',
      ...options,
    ]),
  }
}
const pixels = async (path: string) =>
  sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true })

test('a sheet shows images of every class, the same from the same seed', async () => {
  const { out, outcome } = await sheet('a.png', '--seed', '3')
  expect([outcome.code, outcome.complaints]).toEqual([0, []])
  const result = outcome.events().at(-1) as {
    type: string
    pictures: { class: string; name: string }[]
  }
  expect(result).toMatchObject({
    type: 'result',
    out,
    augmentation: { crop: [0.35, 1], flip: 0.5 },
  })
  expect(new Set(result.pictures.map((image) => image.class))).toEqual(
    new Set(['circle', 'square', 'stripes']),
  )
  for (const { class: label, name } of result.pictures)
    expect(name).toMatch(new RegExp(`^train/${label}/\\d\\.png$`))
  const { info, data } = await pixels(out)
  expect([info.width, info.height]).toEqual([190 + 4 * (128 + 8), 30 + 4 * (128 + 8)])
  // Headings and names are there: something dark on the white of the first column.
  const titles = Array.from({ length: info.height }, (_, y) =>
    data.subarray(3 * y * info.width, 3 * (y * info.width + 180)),
  )
  expect(titles.some((line) => line.some((value) => value < 80))).toBe(true)
  await sheet('b.png', '--seed', '3')
  expect(await readFile(place.path('b.png'))).toEqual(await readFile(out))
  await sheet('c.png', '--seed', '4')
  expect(await readFile(place.path('c.png'))).not.toEqual(await readFile(out))
})

/** SwiftShader comes from npm for this system alone. */
const hasSwiftShader = process.platform === 'linux' && process.arch === 'x64'

test.skipIf(!hasSwiftShader)(
  'SwiftShader draws what the other adapter draws, but for rounding',
  async () => {
    await sheet('auto.png', '--augment', 'strong')
    const { outcome } = await sheet(
      'swiftshader.png',
      '--augment',
      'strong',
      '--adapter',
      'swiftshader',
    )
    expect(outcome.complaints).toEqual([])
    const [a, b] = await Promise.all(
      ['auto.png', 'swiftshader.png'].map((name) => pixels(place.path(name))),
    )
    if (!a || !b) expect.fail('a sheet is missing')
    expect(a.data.length).toBe(b.data.length)
    const largest = a.data.reduce(
      (most: number, value, i) => Math.max(most, Math.abs(value - (b.data[i] ?? Number.NaN))),
      0,
    )
    expect(largest).toBeLessThanOrEqual(1)
  },
)

test('a broken image is passed over', async () => {
  const data = await place.spoiled('broken', truncatedJpeg)
  const outcome = await graft([
    'show-batch',
    data,
    '--out',
    place.path('broken.png'),
    '--count',
    '30',
    '--epochs',
    '1',
  ])
  expect([outcome.code, outcome.complaints]).toEqual([
    0,
    [expect.stringMatching(/^graft: skipped train\/circle\/cut\.jpg: the JPEG file is cut/)],
  ])
  expect(outcome.stdout).toMatch(
    /sheet +.*broken\.png: 12 images in validation and in 1 epoch of training/,
  )
})

test('names of any length end where their room does, before the images', async () => {
  const preprocess = preprocessOf('alexnet-64')
  const tiles = [new Float32Array(3 * preprocess.size ** 2)]
  const draw = async (title: string) =>
    sharp(await drawSheet(sharp, ['one'], [{ title, subtitle: title, tiles }], preprocess))
      .removeAlpha()
      .raw()
  for (const title of [
    'WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW',
    'ein_langer_Name_ohne_Luecken_mit_allem',
    '日本語のクラス名はこのように長いこともあります',
  ]) {
    const { data, info } = await (await draw(title)).toBuffer({ resolveWithObject: true })
    const column = (x: number) =>
      Array.from({ length: info.height }, (_, y) => data[3 * (y * info.width + x)] ?? 0)
    for (let x = 182; x < 190; x++) expect(Math.min(...column(x)), `${title} at ${x}`).toBe(255)
    expect(Math.min(...column(100))).toBeLessThan(128)
  }
})
