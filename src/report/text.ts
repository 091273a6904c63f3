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

/** 75.3 as '75.3 s', 135 as '2 min 15 s'. */
export function seconds(value: number): string {
  if (value < 99.95) return `${value.toFixed(1)} s`
  const whole = Math.round(value)
  return `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** 1 as '1 picture', 3 as '3 pictures'. */
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
