/**
 * How an image becomes a network's input: it is resized, cropped, and normalized to
 * (value · scale − mean) / std for values in 0..1.
 */
export interface Preprocess {
  /** Height and width of the network's input. */
  readonly size: number
  /** Length of the shorter side after resizing, before the center crop; `size` or more. */
  readonly resize: number
  /** One for each channel, in the network's channel order. */
  readonly mean: readonly [number, number, number]
  /** One for each channel, in the network's channel order. */
  readonly std: readonly [number, number, number]
  readonly scale: number
  /** The network's channel order. */
  readonly order: 'rgb' | 'bgr'
}
