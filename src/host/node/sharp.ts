import type Sharp from 'sharp'
import { GraftError } from '../../base/errors.ts'

let loading: Promise<typeof Sharp> | null = null

/**
 * Sharp, set to one thread an image and no cache.
 * @throws GraftError with code `decoder` where it cannot be loaded
 */
export function loadSharp(): Promise<typeof Sharp> {
  loading ??= importSharp()
  return loading
}

async function importSharp(): Promise<typeof Sharp> {
  try {
    const sharp = (await import('sharp')).default
    sharp.concurrency(1)
    sharp.cache(false)
    return sharp
  } catch (cause) {
    throw new GraftError(
      'decoder',
      `cannot load sharp, which decodes the images (${firstLine(cause)}): run npm install sharp`,
      { cause },
    )
  }
}

/** What went wrong, in one line. */
export function firstLine(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause)
  return message.split('\n', 1)[0]?.trim() ?? ''
}
