import type { NamedArray } from '../../base/stateDict.ts'

/**
 * One layer of a chain as an ONNX file has it: what it computes, its numbers and its arrays. Sizes
 * are square, in pixels.
 */
export type LayerSpec = { readonly name: string } & (
  | ConvSpec
  | LinearSpec
  | { readonly kind: 'relu' | 'flatten' | 'softmax' | 'logSoftmax' }
  | {
      readonly kind: 'maxPool'
      readonly kernel: number
      readonly stride: number
      readonly padding: number
      readonly ceilMode: boolean
    }
  /**
   * Means over windows that divide the input into `size` parts, without overlap; `window` is the
   * side of one, or all there is.
   */
  | {
      readonly kind: 'averagePool'
      readonly size: readonly [number, number]
      readonly window: number | 'all'
    }
  | {
      readonly kind: 'lrn'
      readonly size: number
      readonly alpha: number
      readonly beta: number
      readonly k: number
    }
  | { readonly kind: 'dropout'; readonly p: number }
)

export interface ConvSpec {
  readonly kind: 'conv'
  /** [O, C / groups, K, K] */
  readonly weight: NamedArray
  /** [O] */
  readonly bias: NamedArray
  readonly stride: number
  readonly padding: number
  readonly groups: number
}

export interface LinearSpec {
  readonly kind: 'linear'
  /** [out, in], as PyTorch has it */
  readonly weight: NamedArray
  /** [out] */
  readonly bias: NamedArray
}

/** A network as an ONNX file has it: a chain of layers from one image to its outputs. */
export interface OnnxChain {
  /** One image: channels, height, width. */
  readonly input: readonly number[]
  readonly layers: readonly LayerSpec[]
  /** The free text under `metadata_props`. */
  readonly metadata: Readonly<Record<string, string>>
}
