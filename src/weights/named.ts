import type { NamedWeights } from './registry.ts'
import type { WeightsFile } from './safetensors.ts'

/** Adds what is known by a name, unless the file says it: the network, and the outputs' names. */
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
