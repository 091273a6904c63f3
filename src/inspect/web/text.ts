/** Figures as the page writes them. */

/** '1.23 ms', '45 µs'. */
export function time(milliseconds: number | null): string {
  if (milliseconds === null) return 'not timed'
  if (milliseconds >= 99.995) return `${milliseconds.toFixed(0)} ms`
  return milliseconds >= 0.9995
    ? `${milliseconds.toFixed(2)} ms`
    : `${(1000 * milliseconds).toFixed(0)} µs`
}

const prefixes = ['', 'k', 'M', 'G', 'T'] as const

/** 1200 as '1.20 k', of bytes as '1.20 kB'; what is below a thousand in full: '900 B'. */
export function amount(value: number, unit = ''): string {
  let [scaled, prefix] = [value, 0]
  // What three digits round up to a thousand is one of the next.
  while (scaled >= 999.5 && prefix < prefixes.length - 1)
    [scaled, prefix] = [scaled / 1000, prefix + 1]
  const digits = prefix === 0 ? String(Math.round(value)) : scaled.toPrecision(3)
  return `${digits} ${prefixes[prefix]}${unit}`.trimEnd()
}

/** What is done in a time, by the second: '12.3 GFLOP/s'. */
export function rate(value: number, milliseconds: number, unit: string): string {
  return amount((1000 * value) / milliseconds, `${unit}/s`)
}

/** 0.123 as '12 %'; what is little and not nothing as '0.3 %'. */
export function share(value: number): string {
  return value > 0 && value < 0.0095
    ? `${(100 * value).toPrecision(1)} %`
    : `${(100 * value).toFixed(0)} %`
}

/** A value as one reads it: six digits. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  return value === 0
    ? '0'
    : size >= 1e5 || size < 1e-4
      ? value.toExponential(3)
      : String(Number(value.toPrecision(6)))
}

export const shapeText = (shape: readonly number[]) => `[${shape.join(', ')}]`
