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
