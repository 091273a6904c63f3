import type { InspectedLayer } from './inspection.ts'

export type LayerState = 'new' | 'trained' | 'frozen' | 'bare'

/** Whether a layer is new, trains, is frozen, or has nothing to train. */
export function stateOf({ parameters, isNew }: InspectedLayer): LayerState {
  if (parameters.length === 0) return 'bare'
  if (isNew) return 'new'
  return parameters.some(({ trainable }) => trainable) ? 'trained' : 'frozen'
}
