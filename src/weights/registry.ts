/**
 * Weights that Graft knows by name. A card beside a shipped file (.md) says how it was made and
 * what it is for.
 */
export interface NamedWeights {
  readonly name: string
  /** The file, shipped with Graft (file:) or to be fetched once (https:). */
  readonly file: URL
  /**
   * Of the file, in lower-case hexadecimal; where its publisher gives only the first digits, as
   * PyTorch does in file names, these.
   */
  readonly sha256: string
  /** The same weights under an earlier name, which will do as well. */
  readonly earlier?: { readonly file: URL; readonly sha256: string }
  /** The network they fit; null where the file itself has to say. */
  readonly variant: 'alexnet-64' | 'torchvision' | 'bvlc' | null
  /** Outputs of the last layer; null where it is not known before the file is read. */
  readonly classes: number | null
  /** Names of the outputs, where the file does not hold them. */
  readonly classNames?: () => Promise<readonly string[]>
  /** Numbers in all arrays together; null where it is not known before the file is read. */
  readonly parameters: number | null
  /** As published, on the validation images that the card or publisher names, in 0..1. */
  readonly accuracy: { readonly top1: number; readonly top5: number } | null
  readonly license: string | null
}

/** A name of weights that Graft knows. */
export type WeightsName = 'alexnet-64-tinyimagenet100' | 'torchvision/alexnet'

/**
 * Every name that `loadWeights` and `--weights` take besides a user's own. Shipped files lie at the
 * package's root, two folders up from here in src/ and in dist/ alike.
 *
 * @example
 * for (const { name, accuracy } of namedWeights) console.log(name, accuracy?.top1)
 */
export const namedWeights: readonly (NamedWeights & { readonly name: WeightsName })[] = [
  {
    name: 'alexnet-64-tinyimagenet100',
    // Read only when needed: a script that is not a module has no URL.
    get file() {
      return new URL('../../weights/alexnet-64-tinyimagenet100.safetensors', import.meta.url)
    },
    variant: 'alexnet-64',
    classes: 100,
    parameters: 1_205_156,
    sha256: '08d982863af48f3b5f411e4aad572606545bd892a18ebb4bc6689c16154f2c1e',
    accuracy: { top1: 0.448, top5: 0.7362 },
    license: 'MIT',
  },
  // torchvision's AlexNet_Weights.IMAGENET1K_V1: its documentation has the figures, its file names
  // the first digits of the sha256.
  {
    name: 'torchvision/alexnet',
    file: new URL('https://download.pytorch.org/models/alexnet-owt-7be5be79.pth'),
    variant: 'torchvision',
    classes: 1000,
    classNames: async () => (await import('./imagenet.ts')).imagenetClasses,
    parameters: 61_100_840,
    sha256: '7be5be79',
    earlier: {
      file: new URL('https://download.pytorch.org/models/alexnet-owt-4df8aa71.pth'),
      sha256: '4df8aa71',
    },
    accuracy: { top1: 0.56522, top5: 0.79066 },
    license: 'BSD-3-Clause, as torchvision; trained on ImageNet',
  },
]

/** The weights of that name among those that Graft knows, or undefined. */
export function findNamedWeights(name: string): NamedWeights | undefined {
  return namedWeights.find((weights) => weights.name === name)
}

/** Whether Graft brings the file with it. */
export function isShipped(weights: NamedWeights): boolean {
  return findNamedWeights(weights.name) !== undefined && weights.file.protocol === 'file:'
}
