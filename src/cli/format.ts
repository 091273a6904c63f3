import { printable } from '../gpu/errors.ts'

/** 0.875 as '87.5 %'. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

/** 1153856 as '1,153,856'. */
export function thousands(n: number): string {
  return n.toLocaleString('en-US')
}

/** 1 as '1 picture', 3 as '3 pictures'. */
export function counted(n: number, noun: string, plural = `${noun}s`): string {
  return `${thousands(n)} ${n === 1 ? noun : plural}`
}

/** 75.3 as '75.3 s', 135 as '2 min 15 s'. */
export function duration(seconds: number): string {
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** 1289748 as '1.2 MiB'. */
export function bytes(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  const unit = Math.min(Math.floor(Math.log2(Math.max(n, 1)) / 10), units.length - 1)
  return `${(n / 2 ** (10 * unit)).toFixed(unit > 0 ? 1 : 0)} ${units[unit]}`
}

export type Cell = string | number

/** Columns two spaces apart; `right` names the columns that are aligned to the right. */
export function table(rows: readonly (readonly Cell[])[], { right = [] as readonly number[], indent = '' } = {}): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, printable(String(cell)).length)
  return rows.map((row) => {
    const cells = row.map((cell, i) => {
      const [text, width] = [printable(String(cell)), widths[i] ?? 0]
      return right.includes(i) ? text.padStart(width) : text.padEnd(width)
    })
    return (indent + cells.join('  ')).trimEnd()
  })
}

/** Breaks text between words into lines of at most `width` columns. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line ? `${line} ${word}` : word
  }
  return line ? [...lines, line] : lines
}

/** Columns that text is broken at: narrower than most terminals, so that it reads well. */
const textWidth = 110
const labelWidth = 13

/** A label and what it stands for, broken into lines that stay in the second column. */
export function labelled(label: string, text: string): string[] {
  return wrap(printable(text), textWidth - labelWidth).map((line, i) => (i === 0 ? label : '').padEnd(labelWidth) + line)
}

/** An argument as a shell takes it. */
export function quoted(argument: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`
}

/** A command to type next, called as this one was: through npx where npm started it. */
export function nextCommand(...args: readonly string[]): string {
  const command = process.env.npm_config_user_agent ? ['npx', 'graft'] : ['graft']
  return [...command, ...args].map(quoted).join(' ')
}

/** The layers that parameters belong to, each once. */
export function layersOf(parameters: readonly string[]): string {
  return [...new Set(parameters.map((name) => name.slice(0, name.lastIndexOf('.'))))].join(', ')
}
