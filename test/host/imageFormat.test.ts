import sharp, { type Sharp } from 'sharp'
import { describe, expect, it } from 'vitest'
import { type ImageFormat, requireFormat } from '../../src/host/imageFormat.ts'
import { decodingBytes, readImageHeader } from '../../src/host/imageHeader.ts'
import { decodeImage } from '../../src/host/node/decode.ts'

const latin = (text: string) => Buffer.from(text, 'latin1')
const start = 'x.png: not a JPEG, PNG or WebP image '
const convert = ': convert it to JPEG, PNG or WebP'

describe('a file under the name of an image', () => {
  it.each<[string, string]>([
    ['GIF89a\x01\0\x01\0', `(it is a GIF)${convert}`],
    ['BM\x01\x02\x03\0', `(it is a BMP)${convert}`],
    ['II*\0\x08\0', `(it is a TIFF)${convert}`],
    ['MM\0*\0\0', `(it is a TIFF)${convert}`],
    ['II+\0\x08\0', `(it is a TIFF)${convert}`],
    ['\0\0\0 ftypavif', `(it is an AVIF)${convert}`],
    ['\0\0\0 ftypheic', `(it is a HEIC)${convert}`],
    ['\0\0\0 ftypmif1', `(it is a HEIC)${convert}`],
    ['\0\0\0 ftypisom', '(it is a video): take a frame of it'],
    ['\xff\x0a\0\0', `(it is a JPEG XL)${convert}`],
    ['\0\0\0\x0cJXL \r\n', `(it is a JPEG XL)${convert}`],
    ['\0\0\0\x0cjP  \r\n', `(it is a JPEG 2000)${convert}`],
    ['8BPS\0\x01', `(it is a Photoshop file)${convert}`],
    ['%PDF-1.7\n', '(it is a PDF): export its images'],
    ['\0\0\x01\0\x01\0', `(it is an icon (ICO))${convert}`],
    ['\x1f\x8b\x08\0', '(it is compressed with gzip): unpack it'],
    ['PK\x03\x04\x14\0', '(it is a zip archive): unpack it'],
    ['RIFF\0\0\0\0WAVEfmt ', '(it is a sound)'],
    ['RIFF\0\0\0\0WEBPxxxx', '(it is a damaged WebP): copy it again'],
    [
      '\x89PNG\n\x1a\n\0\0',
      '(it is a PNG whose line ends were changed): transfer it again as binary',
    ],
    ['\0\x05\x16\x07\0\x02', '(it is the companion that macOS writes beside a file): remove it'],
    [`${'\0'.repeat(128)}DICM`, `(it is a DICOM)${convert}`],
    [`ISO${'\x01'.repeat(125)}DICM`, `(it is a DICOM)${convert}`],
    ['\0'.repeat(600), '(it is empty space: its first bytes are all 0): copy it again'],
    [
      'version https://git-lfs.github.com/spec/v1\n',
      '(it is a Git LFS pointer): run "git lfs pull"',
    ],
    ['<!DOCTYPE html><html>', '(it is a web page): download the image itself'],
    ['\n  <html lang="en">', '(it is a web page): download the image itself'],
    ['<?xml version="1.0"?>\n<!-- x -->\n<svg >', `(it is an SVG)${convert}`],
    ['<!--    WEBP--><svg xmlns="">', `(it is an SVG)${convert}`],
    ['<?xml version="1.0"?><Error>', '(it is XML): download the image itself'],
    ['{"error": "not found"}', '(it is JSON): download the image itself'],
    ['hello\n', '(it holds text)'],
    ['\x01\x02\x03', '(its first bytes are not those of an image)'],
  ])('that begins with %j is called what it is', (content, says) => {
    expect(() => requireFormat('x.png', latin(content))).toThrow(start + says)
  })

  it.each([
    ['****', 'WEBP'],
    ['II*\0', 'WEBP'],
    ['<!--', 'WEBP'],
    ['RIFX', 'WEBPVP8 '],
  ])('with %j and WEBP at byte 8 is no WebP', async (first, mark) => {
    const bytes = latin(`${first}\x0c0\0\0${mark}${'\xc8'.repeat(600)}`)
    await expect(decodeImage(bytes, 'x.png')).rejects.toThrow(start)
  })

  it('never reaches a decoder of another format', async () => {
    const hidden = ['<svg xmlns="http://www.w3.org/2000/svg" width="5" height="5"/>', '%PDF-1.4']
    for (const signature of ['\xff\xd8\xff', '\x89PNG\r\n\x1a\n', 'RIFF\0\0\0\0WEBPVP8 '])
      for (const text of hidden)
        await expect(decodeImage(latin(signature + text), 'x.png')).rejects.toThrow(
          /^x\.png: the (JPEG|PNG|WebP) file is cut short or damaged/,
        )
  })
})

describe('the header of an image', () => {
  const image = sharp({
    create: { width: 321, height: 123, channels: 4, background: '#12345680' },
  }).withExif({ IFD0: { Copyright: 'x'.repeat(9000) } })
  it.each<[ImageFormat, string, number, () => Sharp]>([
    ['PNG', 'plain', 0, () => image.clone().png()],
    ['PNG', 'interlaced', 4, () => image.clone().png({ progressive: true })],
    ['JPEG', 'baseline', 0, () => image.clone().jpeg()],
    ['JPEG', 'progressive', 6, () => image.clone().jpeg({ progressive: true })],
    ['WebP', 'lossy', 8, () => image.clone().webp()],
    ['WebP', 'lossless', 8, () => image.clone().webp({ lossless: true })],
    ['WebP', 'without transparency', 8, () => image.clone().flatten().webp()],
    [
      'WebP',
      'bare',
      8,
      () =>
        sharp(Buffer.alloc(3 * 321 * 123), {
          raw: { width: 321, height: 123, channels: 3 },
        }).webp(),
    ],
    [
      'WebP',
      'bare lossless',
      8,
      () =>
        sharp(Buffer.alloc(3 * 321 * 123), { raw: { width: 321, height: 123, channels: 3 } }).webp({
          lossless: true,
        }),
    ],
  ])('%s, %s', async (format, _kind, decoderBytes, make) => {
    const bytes = await make().toBuffer()
    expect(requireFormat('x', bytes)).toBe(format)
    expect(readImageHeader(format, bytes)).toEqual({ width: 321, height: 123, decoderBytes })
    expect(decodingBytes('x', format, bytes)).toBe(321 * 123 * (6 + decoderBytes))
    for (const length of [12, 14, 20, 24]) {
      const cut = readImageHeader(format, bytes.subarray(0, length))
      expect(cut === null || cut.width === 321).toBe(true)
    }
  })

  it('with more pixels than the limit is refused before anything is decoded', async () => {
    const bytes = await image.clone().png().toBuffer()
    bytes.writeUInt32BE(13_378, 16)
    bytes.writeUInt32BE(13_378, 20)
    expect(() => decodingBytes('x', 'PNG', bytes)).toThrow(
      'x: the PNG image has more than 178 megapixels, the limit: make it smaller',
    )
  })
})
