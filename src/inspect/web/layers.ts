import type { InspectedLayer } from '../inspection.ts'
import { type LayerState, stateOf } from '../layerState.ts'

const words: Readonly<Record<LayerState, string>> = {
  new: 'new, trains',
  trained: 'trains',
  frozen: 'frozen',
  bare: 'no parameters',
}

export function describeState(layer: InspectedLayer): string {
  return words[stateOf(layer)]
}
