/** Figures as people read them, the same in every command and on every page. */
import type { Interval } from './interval.ts'

/** 0.875 as '87.5 %'. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

/** An interval of shares: '79.1 to 93.0 %'. */
export function percentRange(low: number, high: number): string {
  return `${(100 * low).toFixed(1)} to ${percent(high)}`
}

/** An accuracy and its interval: '79.1 % (74.3 to 83.2)'. */
export function accuracyWithInterval(share: number, { low, high }: Interval): string {
  return `${percent(share)} (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`
}

/** An interval of differences between shares, in percentage points: '-1.2 to 3.4'. */
export function pointsRange({ low, high }: Interval): string {
  return `${points(low)} to ${points(high)}`
}

/** A difference between shares in percentage points, without '-0.0'. */
function points(difference: number): string {
  return (Math.round(1000 * difference) / 10 + 0).toFixed(1)
}

/** 1153856 as '1,153,856'. */
export function thousands(n: number): string {
  return n.toLocaleString('en-US')
}

/** Seconds in words: 0.031 as '31 ms', 75.3 as '75.3 s', 135 as '2 min 15 s'. */
export function duration(seconds: number): string {
  if (seconds > 0 && seconds < 0.0995) return `${(1000 * seconds).toFixed(0)} ms`
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** Seconds as a clock shows them, rounded up: 75 as '1:15'. */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}

/** 1 as '1 image', 3 as '3 images'. */
export function counted(n: number, noun: string, plural = `${noun}s`): string {
  return `${thousands(n)} ${n === 1 ? noun : plural}`
}

/** A few names, and how many more there are: 'a, b, c, d, e and 7 more'. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, mostListed).join(', ')
  return names.length > mostListed ? `${shown} and ${names.length - mostListed} more` : shown
}

const mostListed = 5

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
