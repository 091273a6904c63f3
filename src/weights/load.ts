import { stat } from 'node:fs/promises'
import { WeightsError } from '../base/errors.ts'
import type { LoadOptions } from '../base/stateDict.ts'
import { readWeightsFile } from './formats.ts'
import { checkLoadOptions, describeNamed } from './named.ts'
import { disk } from './node/disk.ts'
import { allWeights, fetchWeights, findWeights } from './node/store.ts'
import type { NamedWeights } from './registry.ts'
import type { WeightsFile } from './safetensors.ts'

/**
 * Loads weights by a name that Graft or the user's own list knows (`graft weights list` shows
 * them), or from a file: a PyTorch checkpoint (.pth, .pt, .bin), safetensors (also in shards, by
 * their index.json), ONNX, NumPy's .npz, or a TensorFlow.js layers model (model.json). The format
 * is recognized by the content. Named weights are fetched once, unless GRAFT_OFFLINE is set, and
 * their sha256 is verified every time. A name has priority over a file of the same name; write
 * ./NAME for the file.
 *
 * @param nameOrPath for example 'torchvision/alexnet', 'run/model.safetensors' or 'alexnet.pth'
 * @param options where in the file the weights are, if that has to be said
 * @returns the arrays by name, widened to float32. The names are the file's own without the prefix
 * before `features.0.weight`, except that those of TensorFlow.js and ONNX become torchvision's.
 * What is outside of the prefix is left out, and named in `ignored`
 * @throws UsageError for options that do not exist, or for weights whose file Graft knows
 * @throws WeightsError in one line that begins with the name or path: unknown, missing, an unknown
 * format, damaged, hostile, unreachable
 * @example
 * const { tensors, metadata } = await loadWeights('alexnet-64-tinyimagenet100')
 */
export async function loadWeights(
  nameOrPath: string,
  options: LoadOptions = {},
): Promise<WeightsFile> {
  checkLoadOptions(nameOrPath, options)
  const named = findWeights(nameOrPath)
  if (named) return loadNamedWeights(named, options)
  if (!(await isOnDisk(nameOrPath))) throw new WeightsError(missing(nameOrPath))
  return readWeightsFile(nameOrPath, nameOrPath, disk, options)
}

/**
 * Loads named weights and verifies their sha256; fetches them first if they are not on this
 * machine. The metadata name the network and its outputs, even if the file does not.
 *
 * @throws WeightsError if the file is missing, cannot be fetched, or is not the published one
 */
export async function loadNamedWeights(
  weights: NamedWeights,
  options: LoadOptions = {},
): Promise<WeightsFile> {
  return describeNamed(
    weights,
    await readWeightsFile(weights.name, await fetchWeights(weights), disk, options),
  )
}

async function isOnDisk(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT' && code !== 'ENOTDIR',
  )
}

function missing(nameOrPath: string): string {
  if (/\.[a-z]+$/i.test(nameOrPath)) return `${nameOrPath}: no such file; check the path`
  const known = allWeights()
    .map(({ name }) => name)
    .join(', ')
  return (
    `${nameOrPath}: no weights of this name and no such file; the names are: ${known}; ` +
    'or give the path of a weights file'
  )
}
