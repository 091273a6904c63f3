/**
 * How an image becomes a network's input: resized, cut, and normalized to (value · scale − mean) /
 * std for values in 0..1.
 */
export interface Preprocess {
  /** Height and width of the network's input. */
  readonly size: number
  /**
   * What the shorter side is resized to before the middle `size` x `size` is cut out; not below
   * `size`.
   */
  readonly resize: number
  /** One a channel, in the network's channel order. */
  readonly mean: readonly [number, number, number]
  /** One a channel, in the network's channel order. */
  readonly std: readonly [number, number, number]
  readonly scale: number
  /** The network's channel order. */
  readonly order: 'rgb' | 'bgr'
}
