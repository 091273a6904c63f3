import { WeightsError } from '../base/errors.ts'
import { fetchAgain, quote } from './arrays.ts'
import type { ByteSource } from './source.ts'

/** The longest index or model description that is read. */
const longestJson = 2 ** 25

/** Whether a value of a JSON file is an object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** No index or model description is nested deeper. */
const maxDepth = 64

/** No index or model description has more lists, maps, texts and numbers. */
const maxValues = 1_000_000

/**
 * Parses JSON of unknown origin. Its depth and its number of values are checked first, because a
 * parser takes some 40 bytes for every bracket, and more for every list and map.
 *
 * @param what the text is, for errors: 'the header'
 * @param mostValues how many values it may have
 * @throws WeightsError if it is not UTF-8, not JSON, nested more than 64 deep, or has more values
 */
export function parseJson(bytes: Uint8Array, what: string, mostValues = maxValues): unknown {
  const { depth, values } = extentOf(bytes)
  if (depth > maxDepth)
    throw new WeightsError(`${what} is JSON nested more than ${maxDepth} deep; ${fetchAgain}`)
  if (values > mostValues)
    throw new WeightsError(
      `${what} is JSON with more than ${mostValues} values, which no file of weights has; ` +
        'write the file again without them',
    )
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new WeightsError(`${what} is not valid UTF-8; ${fetchAgain}`, { cause })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : '').replace(/[\s\p{Cc}]+/gu, ' ')
    throw new WeightsError(`${what} is not valid JSON (${reason.slice(0, 160)}); ${fetchAgain}`, {
      cause,
    })
  }
}

/**
 * Of JSON, without parsing it: the largest number of braces and brackets open at once, and how many
 * values there are at the most, which is one more than commas and openings.
 */
function extentOf(bytes: Uint8Array): { readonly depth: number; readonly values: number } {
  let [open, depth, values, inText] = [0, 0, 1, false]
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === 0x22) inText = !inText
    else if (inText) i += byte === 0x5c ? 1 : 0
    else if (byte === 0x7b || byte === 0x5b) {
      depth = Math.max(depth, ++open)
      values++
    } else if (byte === 0x7d || byte === 0x5d) open--
    else if (byte === 0x2c) values++
  }
  return { depth, values }
}

/**
 * Reads a file of JSON.
 * @throws WeightsError if it is not JSON, not an object, or longer than 32 MiB
 */
export async function readJson(source: ByteSource): Promise<Record<string, unknown>> {
  if (source.size > longestJson)
    throw new WeightsError(
      `the file begins like JSON, but ${source.size} bytes are too many for an index of weights`,
    )
  const json = parseJson(await source.read(0, source.size), 'the file')
  if (!isRecord(json))
    throw new WeightsError('the file is JSON, but neither a shard index nor a TensorFlow.js model')
  return json
}

/** A value of a JSON file for a message, on one short line. */
export function show(value: unknown): string {
  return value === undefined ? 'missing' : quote(JSON.stringify(value)).slice(1, -1)
}
