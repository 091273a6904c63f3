import { type ShapeError, UsageError } from './errors.ts'

/**
 * What a message calls something that was given in the place of something else: 'an array',
 * 'Float64Array', 'Null'.
 */
export function typeName(given: unknown): string {
  return Array.isArray(given) ? 'an array' : Object.prototype.toString.call(given).slice(8, -1)
}

/**
 * Refuses what would be ignored: an option that does not exist, and something else in the options'
 * place.
 * @param what whose options they are, for the message
 * @param names the options there are
 * @throws UsageError, or `Failure`
 * @example checkOptions('evaluate', options, ['split', 'batchSize'])
 */
export function checkOptions<O extends object>(
  what: string,
  options: O,
  names: readonly (keyof O & string)[],
  Failure: typeof UsageError | typeof ShapeError = UsageError,
): void {
  if (typeof options !== 'object' || options === null)
    throw new Failure(
      `${what} takes its options as an object, such as { ${names[0]} }, not ${String(options)}`,
    )
  const known: readonly string[] = names
  const unknown = Object.keys(options).filter((name) => !known.includes(name))
  if (unknown.length)
    throw new Failure(
      `${what}: there is no option ${unknown.join(', ')}; it takes ${names.join(', ')}`,
    )
}
