/** No JSON that Graft reads is nested deeper. */
const maxDepth = 64

/** No JSON that Graft reads has more lists, maps, texts and numbers. */
const maxValues = 1_000_000

/** Whether a value of a JSON file is an object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** JSON that cannot be read; the message goes on after the file's name: 'is not valid JSON (…)'. */
export class JsonProblem extends Error {
  /** Whether it has more values than it may have, and could be read otherwise. */
  readonly tooMany: boolean

  constructor(message: string, options: ErrorOptions & { readonly tooMany?: boolean } = {}) {
    super(message, options)
    this.tooMany = options.tooMany ?? false
  }
}

/**
 * Parses JSON of unknown origin. Its depth and its number of values are checked first, because a
 * parser takes some 40 bytes for every bracket, and more for every list and map.
 * @param mostValues how many values it may have
 * @throws JsonProblem if it is not UTF-8, not JSON, nested more than 64 deep, or has more values
 */
export function parseBounded(bytes: Uint8Array, mostValues = maxValues): unknown {
  const { depth, values } = extentOf(bytes)
  if (depth > maxDepth) throw new JsonProblem(`is JSON nested more than ${maxDepth} deep`)
  if (values > mostValues)
    throw new JsonProblem(`is JSON with more than ${mostValues} values`, { tooMany: true })
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new JsonProblem('is not valid UTF-8', { cause })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : '').replace(/[\s\p{Cc}]+/gu, ' ')
    throw new JsonProblem(`is not valid JSON (${reason.slice(0, 160)})`, { cause })
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
