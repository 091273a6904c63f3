import type { NamedArray } from '../../base/stateDict.ts'
import type { LayerSpec } from './layers.ts'
import type { NodeView, Value } from './node.ts'

type Distribute<T> = T extends unknown ? Omit<T, 'name'> : never
/** A layer before it has its name. */
export type Unnamed = Distribute<LayerSpec>

/** The effect of a node on the chain. */
export type Effect =
  /** Layers at the chain's end, and the shape they give for one image. */
  | {
      readonly layers: readonly Unnamed[]
      readonly shape: readonly number[]
      readonly bias?: 'open'
    }
  /** A bias for the layer at the chain's end. */
  | { readonly bias: NamedArray }
  /** No computation: another name for a known value. */
  | { readonly value: Value }

/** One ONNX operator: what a node of it does to the chain. */
export type Operator = (node: NodeView) => Effect | Promise<Effect>
