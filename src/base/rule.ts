/** What the value of an option has to be. */
export interface Rule {
  /** Completes "epochs is …" and "It takes …". */
  readonly words: string
  readonly fits: (value: unknown) => boolean
  /** The value that a text from a command line stands for; `fits` judges it. */
  readonly parse: (text: string) => unknown
  /** Where the value is a number. */
  readonly bounds?: Bounds
  /** Where the value is one of a few. */
  readonly choices?: readonly string[]
}

/** The numbers that a rule allows. All of them are finite, unless `infinite` is set. */
export interface Bounds {
  readonly integer?: boolean
  readonly min?: number
  readonly max?: number
  readonly above?: number
  readonly below?: number
  readonly infinite?: boolean
}

/** A number within bounds. */
export function numberRule(bounds: Bounds): Rule {
  const { integer = false, infinite = false } = bounds
  const { min = -Infinity, max = Infinity, above = -Infinity, below = Infinity } = bounds
  return {
    words: wordsFor(bounds),
    bounds,
    fits: (value) =>
      typeof value === 'number' &&
      (integer ? Number.isSafeInteger(value) : Number.isFinite(value) || infinite) &&
      value >= min &&
      value <= max &&
      (value > above || above === -Infinity) &&
      (value < below || below === Infinity),
    parse: (text) => (text.trim() === '' ? Number.NaN : Number(text)),
  }
}

function wordsFor({ integer = false, min, max, above, below }: Bounds): string {
  const what = integer ? 'an integer' : 'a number'
  if (integer && min === 1 && max === undefined) return 'a positive integer'
  if (min !== undefined && max !== undefined) return `${what} from ${min} to ${max}`
  if (above !== undefined && below !== undefined) return `${what} between ${above} and ${below}`
  if (min !== undefined) return `${what} of ${min} or more`
  return above === undefined ? what : `${what} above ${above}`
}

/** One of a few names. */
export function choiceRule(choices: readonly string[]): Rule {
  return {
    words: `one of ${choices.join(', ')}`,
    choices,
    fits: (value) => typeof value === 'string' && choices.includes(value),
    parse: (text) => text,
  }
}

/** A value that a test in words describes; a command line gives it as the text that was typed. */
export function rule(words: string, fits: (value: unknown) => boolean): Rule {
  return { words, fits, parse: (text) => text }
}

export const positiveInteger = numberRule({ integer: true, min: 1 })
export const wholeNumber = numberRule({ integer: true, min: 0 })
export const positiveNumber = numberRule({ above: 0 })
export const numberFromZero = numberRule({ min: 0 })
/** 0 and 1 included. */
export const share = numberRule({ min: 0, max: 1 })
/** 0 and 1 excluded. */
export const properShare = numberRule({ above: 0, below: 1 })
export const trueOrFalse = rule('true or false', (value) => typeof value === 'boolean')
export const callback = rule('a function', (value) => typeof value === 'function')
export const text = rule('a text', (value) => typeof value === 'string' && value !== '')
export const listOfTexts = rule(
  'a list of patterns',
  (value) =>
    Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string'),
)
