/** Weights that Graft ships and knows by name. The card beside the file (.md) says how they were made and what they are for. */
export interface NamedWeights {
  readonly name: string
  /** The .safetensors file. */
  readonly file: URL
  /** The network they fit. */
  readonly variant: 'alexnet-64' | 'torchvision' | 'bvlc'
  /** Outputs of the last layer. */
  readonly classes: number
  /** Numbers in all arrays together. */
  readonly parameters: number
  /** Of the file, in lower-case hexadecimal. */
  readonly sha256: string
  /** On the validation images that the card names, in 0..1. */
  readonly accuracy: { readonly top1: number; readonly top5: number }
  readonly licence: string
}

/**
 * Every name that `loadWeights` and `--weights` take. The files lie at the package's root, two folders up from here in src/ and in dist/
 * alike.
 *
 * @example
 * for (const { name, accuracy } of namedWeights) console.log(name, accuracy.top1)
 */
export const namedWeights: readonly NamedWeights[] = [
  {
    name: 'alexnet-64-tinyimagenet100',
    file: new URL('../../weights/alexnet-64-tinyimagenet100.safetensors', import.meta.url),
    variant: 'alexnet-64',
    classes: 100,
    parameters: 1_205_156,
    sha256: '08d982863af48f3b5f411e4aad572606545bd892a18ebb4bc6689c16154f2c1e',
    accuracy: { top1: 0.448, top5: 0.7362 },
    licence: 'MIT',
  },
]

/** The weights of that name, or undefined. */
export function findNamedWeights(name: string): NamedWeights | undefined {
  return namedWeights.find((weights) => weights.name === name)
}
