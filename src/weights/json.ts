import { WeightsError } from '../base/errors.ts'
import { isRecord, JsonProblem, parseBounded } from '../base/json.ts'
import { fetchAgain, quote } from './arrays.ts'
import type { ByteSource } from './source.ts'

/** The longest index or model description that is read. */
const longestJson = 2 ** 25

/**
 * Parses JSON of unknown origin. Its depth and its number of values are checked first.
 * @param what the text is, for errors: 'the header'
 * @param mostValues how many values it may have
 * @throws WeightsError if it is not UTF-8, not JSON, nested more than 64 deep, or has more values
 */
export function parseJson(bytes: Uint8Array, what: string, mostValues?: number): unknown {
  try {
    return parseBounded(bytes, mostValues)
  } catch (cause) {
    if (!(cause instanceof JsonProblem)) throw cause
    const remedy = cause.tooMany
      ? 'which no file of weights has; write the file again without them'
      : fetchAgain
    const link = cause.tooMany ? ', ' : '; '
    throw new WeightsError(`${what} ${cause.message}${link}${remedy}`, { cause })
  }
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
