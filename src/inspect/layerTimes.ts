import type { InspectedDispatch, InspectedLayer } from './inspection.ts'

/** Kinds of passes, for colours and columns: all gradients are one. */
export type PassKind = 'forward' | 'gradient' | 'step' | 'other'

export function passKind(pass: string | null): PassKind {
  if (pass === 'forward' || pass === 'step') return pass
  return pass ? 'gradient' : 'other'
}

/** The layer that a dispatch belongs to: its parameters' steps are called after them. */
export function layerOf({ layer }: Pick<InspectedDispatch, 'layer'>): string | null {
  return layer?.replace(/\.(weight|bias)$/, '') ?? null
}

/** GPU time of one layer by kind of pass, in milliseconds. */
export function layerTimes(dispatches: readonly InspectedDispatch[], name: string): Readonly<Record<PassKind, number>> {
  const times = { forward: 0, gradient: 0, step: 0, other: 0 }
  for (const one of dispatches) if (layerOf(one) === name) times[passKind(one.pass)] += one.milliseconds ?? 0
  return times
}

export type LayerState = 'new' | 'trained' | 'frozen' | 'bare'

/** Whether a layer is new, trains, is frozen, or has nothing to train. */
export function stateOf({ parameters, isNew }: InspectedLayer): LayerState {
  if (parameters.length === 0) return 'bare'
  if (isNew) return 'new'
  return parameters.some(({ trainable }) => trainable) ? 'trained' : 'frozen'
}
