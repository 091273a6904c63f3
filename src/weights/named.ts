import type { NamedWeights } from './registry.ts'
import type { WeightsFile } from './safetensors.ts'

/**
 * What a name says of its file, where the file does not say it: which network it is for, and what
 * the outputs are called.
 */
export async function describeNamed(
  { variant, classNames }: NamedWeights,
  { tensors, metadata }: WeightsFile,
): Promise<WeightsFile> {
  return {
    tensors,
    metadata: {
      ...(variant ? { architecture: variant } : {}),
      ...(classNames ? { classes: JSON.stringify(await classNames()) } : {}),
      ...metadata,
    },
  }
}
