import type { RecordedDispatch } from '../gpu/recording.ts'

/** Kinds of passes, for colors and columns: all gradients are one kind. */
export type PassKind = 'forward' | 'gradient' | 'step' | 'other'

export function passKind(pass: string | null): PassKind {
  if (pass === 'forward' || pass === 'step') return pass
  return pass ? 'gradient' : 'other'
}

/** The layer that a dispatch belongs to. Optimizer steps bear the names of parameters instead. */
export function layerOf({ layer }: Pick<RecordedDispatch, 'layer'>): string | null {
  return layer?.replace(/\.(weight|bias)$/, '') ?? null
}

/** GPU time by kind of pass, in milliseconds. */
export type PassTimes = Readonly<Record<PassKind, number>>

export const noTimes: PassTimes = { forward: 0, gradient: 0, step: 0, other: 0 }

/**
 * The times of every layer, in the order of the dispatches. Dispatches without times add nothing.
 */
export function layerTimes(
  dispatches: readonly Pick<RecordedDispatch, 'layer' | 'pass' | 'milliseconds'>[],
): Map<string, PassTimes> {
  const layers = new Map<string, PassTimes>()
  for (const one of dispatches) {
    const name = layerOf(one)
    if (name === null) continue
    const times = layers.get(name) ?? noTimes
    const kind = passKind(one.pass)
    layers.set(name, { ...times, [kind]: times[kind] + (one.milliseconds ?? 0) })
  }
  return layers
}
