/** 0.875 as '87.5 %'. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

/** An accuracy and its standard error, in percent. */
export function withError(share: number, error: number): string {
  return `${(100 * share).toFixed(1)} ± ${(100 * error).toFixed(1)} %`
}

/** 1153856 as '1,153,856'. */
export function thousands(n: number): string {
  return n.toLocaleString('en-US')
}

/** 0.031 as '31 ms', 75.3 as '75.3 s', 135 as '2 min 15 s'. */
export function seconds(value: number): string {
  if (value > 0 && value < 0.0995) return `${(1000 * value).toFixed(0)} ms`
  if (value < 99.95) return `${value.toFixed(1)} s`
  const whole = Math.round(value)
  return `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** 1 as '1 image', 3 as '3 images'. */
export function counted(n: number, noun: string, plural = `${noun}s`): string {
  return `${thousands(n)} ${n === 1 ? noun : plural}`
}

/** 1289748 as '1.2 MiB'. */
export function bytes(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  const unit = Math.min(Math.floor(Math.log2(Math.max(n, 1)) / 10), units.length - 1)
  return `${(n / 2 ** (10 * unit)).toFixed(unit > 0 ? 1 : 0)} ${units[unit]}`
}

/** The layers that parameters belong to, each once. */
export function layersOf(parameters: readonly string[]): string {
  return [...new Set(parameters.map((name) => name.slice(0, name.lastIndexOf('.'))))].join(', ')
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

/**
 * What a reader sees as letters, each with its width: East Asian letters and emoji are twice as
 * wide as Latin ones.
 */
function lettersOf(text: string): { readonly letter: string; readonly width: number }[] {
  return [...segmenter.segment(text)].map(({ segment }) => ({
    letter: segment,
    width: wide.test(segment) ? 2 : 1,
  }))
}

const wide =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\uff01-\uff60]/u

/** How many Latin letters' room a text takes. */
export function widthOf(text: string): number {
  return lettersOf(text).reduce((sum, { width }) => sum + width, 0)
}

/**
 * At most as wide as that many Latin letters: of a longer text the beginning, or its end. No letter
 * is cut in two.
 */
export function shortened(
  text: string,
  most: number,
  keep: 'beginning' | 'end' = 'beginning',
): string {
  if (widthOf(text) <= most) return text
  const letters = keep === 'beginning' ? lettersOf(text) : lettersOf(text).reverse()
  const kept: string[] = []
  let room = most - 1
  for (const { letter, width } of letters) {
    room -= width
    if (room < 0) break
    kept.push(letter)
  }
  return keep === 'beginning' ? `${kept.join('')}…` : `…${kept.reverse().join('')}`
}
