// The process that decodes: a decoder that hangs or crashes ends this process and not Graft's. It
// is plain JavaScript because it starts without a build and without a loader of TypeScript.
//
// Started by decodePool.ts with the most pixels of an image as its argument, a channel of messages,
// and one file for each image that is decoded at a time, from descriptor 4 on. A message
// { slot, length } says that a file begins with an encoded image; the answer is { slot, width,
// height } once the file begins with its pixels, or { slot, reason }.
import { readSync, writeSync } from 'node:fs'

const firstFile = 4
const largeBytes = 64 * 2 ** 20
const limitInputPixels = Number(process.argv[2])

// Ctrl-C and a service manager's signals reach every process of a group: Graft decides when this
// one ends, and it ends with Graft. Exiting in order would wait for a decoder that hangs.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

try {
  const sharp = (await import('sharp')).default
  sharp.concurrency(1)
  sharp.cache(false)
  // libvips opens many formats by content: SVG, TIFF and PDF too.
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({
    operation: [
      'VipsForeignLoadJpegBuffer',
      'VipsForeignLoadPngBuffer',
      'VipsForeignLoadWebpBuffer',
    ],
  })
  process.on('message', (message) => answer(sharp, message))
  send({ ready: true })
} catch (error) {
  send({ unavailable: messageOf(error) })
}

async function answer(sharp, { slot, length }) {
  try {
    send({ slot, ...(await decode(sharp, firstFile + slot, length)) })
    // The pixels of a large image would stay until those of several more are there.
    if (process.memoryUsage().external > largeBytes) globalThis.gc()
  } catch (error) {
    send({ slot, reason: messageOf(error) })
  }
}

async function decode(sharp, file, length) {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let at = 0; at < length; ) {
    const read = readSync(file, bytes, at, length - at, at)
    if (read === 0) throw new Error(`only ${at} of ${length} bytes arrived`)
    at += read
  }
  // sharp's default, 'warning', refuses photographs that every viewer opens.
  const { data, info } = await sharp(bytes, { failOn: 'error', limitInputPixels })
    .autoOrient()
    .flatten({ background: '#ffffff' })
    .toColorspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  if (info.channels !== 3) throw new Error(`decoded to ${info.channels} channels instead of 3`)
  for (let at = 0; at < data.length; ) at += writeSync(file, data, at, data.length - at, at)
  return { width: info.width, height: info.height }
}

function messageOf(error) {
  return error instanceof Error ? error.message : String(error)
}

/** Graft may be gone by now, and then nobody needs the answer. */
function send(message) {
  process.send(message, () => {})
}
