import type { InspectedLayer } from '../inspection.ts'
import { type LayerState, stateOf } from '../layerState.ts'
import { inspection } from './model.ts'

const words: Readonly<Record<LayerState, string>> = {
  new: 'new, trains',
  trained: 'trains',
  frozen: 'frozen',
  bare: 'no parameters',
}

/** The layer of a name; undefined for an operator outside all layers. */
export function layerNamed(name: string): InspectedLayer | undefined {
  return inspection.layers.find((layer) => layer.name === name)
}

export function describeState(layer: InspectedLayer): string {
  return words[stateOf(layer)]
}
