import type Sharp from 'sharp'
import { GraftError } from '../../base/errors.ts'

let loading: Promise<typeof Sharp> | null = null

/**
 * Sharp, set to one thread per image and no cache.
 * @throws GraftError with code `decoder` if it cannot be loaded
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

/** The first line of an error's message. */
export function firstLine(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause)
  return message.replace(/\n.*/s, '').trim()
}
