import { WeightsError } from '../gpu/errors.ts'
import type { ByteSource } from './source.ts'

/** The longest index or model description that is read. */
const longestJson = 2 ** 25

/** Whether a value of a JSON file is an object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Reads a file of JSON.
 * @throws WeightsError where it is none, or no object, or longer than 32 MiB
 */
export async function readJson(source: ByteSource): Promise<Record<string, unknown>> {
  if (source.size > longestJson) throw new WeightsError(`the file begins as JSON does, and ${source.size} bytes are no index of weights`)
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(await source.read(0, source.size)))
  } catch (cause) {
    if (cause instanceof WeightsError) throw cause
    const reason = (cause instanceof Error ? cause.message : '').replace(/[\s\p{Cc}]+/gu, ' ').slice(0, 160)
    throw new WeightsError(`the file is not valid JSON (${reason}); download or copy it again`, { cause })
  }
  if (!isRecord(json)) throw new WeightsError('the file is JSON, and neither a shard index nor a TensorFlow.js model')
  return json
}
