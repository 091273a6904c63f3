import type { Inspection } from './inspection.ts'

/**
 * JSON has no word for NaN and the infinities, which are what a diverged network is looked at for.
 */
const notFinite = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
} as const

/** An inspection as text in which every number keeps its value; `readInspection` reads it. */
export function writeInspection(inspection: Inspection): string {
  return JSON.stringify(inspection, (_, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? { notFinite: String(value) } : value,
  )
}

export function readInspection(text: string): Inspection {
  return JSON.parse(text, (_, value: { readonly notFinite?: keyof typeof notFinite } | null) =>
    value?.notFinite ? notFinite[value.notFinite] : value,
  )
}
