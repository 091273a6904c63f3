import type Sharp from 'sharp'
import { at } from '../base/at.ts'
import { printable } from '../base/printable.ts'
import { shortened } from '../base/textWidth.ts'
import type { Preprocess } from '../nn/preprocess.ts'

/** One row of a sheet: its title and its tiles. */
export interface SheetRow {
  readonly title: string
  readonly subtitle: string
  /** Network inputs [3, size, size]. */
  readonly tiles: readonly Float32Array[]
}

/** In pixels. */
const [gap, titleWidth, headerHeight, charWidth, boldWidth] = [8, 190, 30, 7, 8.5]
/** Small inputs are enlarged to about this size, without smoothing. */
const tileExtent = 128

/**
 * Draws network inputs as images, a line for each row, with headings above the columns and titles
 * on the left.
 * @returns a PNG
 */
export async function drawSheet(
  sharp: typeof Sharp,
  headings: readonly string[],
  rows: readonly SheetRow[],
  preprocess: Preprocess,
): Promise<Uint8Array> {
  const { size } = preprocess
  const tile = size * Math.max(1, Math.round(tileExtent / size))
  const left = (column: number) => titleWidth + column * (tile + gap)
  const top = (row: number) => headerHeight + row * (tile + gap)
  const [width, height] = [left(headings.length), top(rows.length)]
  const tiles = rows.flatMap((row, r) =>
    row.tiles.map(async (values, c) => ({
      input: await sharp(bytesOf(values, preprocess), {
        raw: { width: size, height: size, channels: 3 },
      })
        .resize(tile, tile, { kernel: 'nearest' })
        .png()
        .toBuffer(),
      left: left(c),
      top: top(r),
    })),
  )
  /** A line of text that is cut at `room` pixels, whatever the font. */
  const text = (x: number, y: number, content: string, room: number, style = '') =>
    `<svg x="${x}" y="${y - 14}" width="${room}" height="20">` +
    `<text y="14" ${style}>${escaped(content)}</text></svg>`
  const room = titleWidth - 2 * gap
  const lettering = [
    ...headings.map((heading, c) =>
      text(left(c), headerHeight - gap, shortened(heading, tile / charWidth), tile, 'fill="#555"'),
    ),
    // A class is shortened at its end, a path at its beginning.
    ...rows.flatMap(({ title, subtitle }, r) => [
      text(
        gap,
        top(r) + 18,
        shortened(printable(title), room / boldWidth),
        room,
        'font-weight="bold"',
      ),
      text(
        gap,
        top(r) + 36,
        shortened(printable(subtitle), room / charWidth, 'end'),
        room,
        'fill="#555" font-size="11"',
      ),
    ]),
  ]
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `font-family="sans-serif" font-size="13">${lettering.join('')}</svg>`
  return sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
    .composite([...(await Promise.all(tiles)), { input: Buffer.from(svg), left: 0, top: 0 }])
    .png()
    .toBuffer()
}

/** A network input as RGB bytes: its normalization undone. */
function bytesOf(values: Float32Array, { size, mean, std, scale, order }: Preprocess): Uint8Array {
  const plane = size * size
  return Uint8Array.from({ length: 3 * plane }, (_, i) => {
    const channel = order === 'bgr' ? 2 - (i % 3) : i % 3
    const normalized = at(values, channel * plane + Math.floor(i / 3))
    const value = normalized * at(std, channel) + at(mean, channel)
    return Math.round(255 * Math.min(Math.max(value / scale, 0), 1))
  })
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
