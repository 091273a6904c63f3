import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { WeightsError } from '../base/errors.ts'
import { runFiles } from '../base/runFiles.ts'
import type { LoadOptions } from '../base/stateDict.ts'
import { readWeightsFile } from './formats.ts'
import { checkLoadOptions, describeNamed } from './named.ts'
import { disk } from './node/disk.ts'
import { allWeights, fetchWeights, findWeights } from './node/store.ts'
import type { NamedWeights, WeightsName } from './registry.ts'
import type { WeightsFile } from './safetensors.ts'

/**
 * Loads weights by a name that Graft or the user's own list knows (`graft weights list` shows
 * them), or from a file: a PyTorch checkpoint (.pth, .pt, .bin), safetensors (also in shards, by
 * their index.json), ONNX, NumPy's .npz, or a TensorFlow.js layers model (model.json). The format
 * is recognized by the content. The folder of a run of `graft train` stands for its trained
 * weights. Named weights are fetched once, unless GRAFT_OFFLINE is set, and their sha256 is
 * verified every time. A name has priority over a file of the same name; write ./NAME for the
 * file.
 *
 * @param nameOrPath for example 'torchvision/alexnet', 'runs/photos' or 'alexnet.pth'
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
  nameOrPath: WeightsName | (string & {}),
  options: LoadOptions = {},
): Promise<WeightsFile> {
  checkLoadOptions(nameOrPath, options)
  const named = findWeights(nameOrPath)
  if (named) return loadNamedWeights(named, options)
  const file = await fileAt(nameOrPath)
  return readWeightsFile(file, file, disk, options)
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

/**
 * The file of weights at a path: the path itself, or in a run folder the trained weights.
 * @throws WeightsError where there is nothing, or a folder that is not a finished run's
 */
async function fileAt(path: string): Promise<string> {
  const kind = await kindOf(path)
  if (kind === 'missing') throw new WeightsError(missing(path))
  if (kind !== 'folder') return path
  if ((await kindOf(join(path, runFiles.config))) !== 'other')
    throw new WeightsError(
      `${path}: this is a folder; name the file in it, or a folder that train has written, ` +
        `which has a ${runFiles.config}`,
    )
  const file = join(path, runFiles.weights)
  if ((await kindOf(file)) !== 'missing') return file
  throw new WeightsError(
    `${path}: this run holds no ${runFiles.weights}, as its training was not finished; ` +
      `'npx graft-webgpu train DIR --out ${path} --resume' continues it`,
  )
}

/** What is at a path. What cannot be told is 'other': opening it says why. */
async function kindOf(path: string): Promise<'missing' | 'folder' | 'other'> {
  return stat(path).then(
    (found) => (found.isDirectory() ? 'folder' : 'other'),
    ({ code }: NodeJS.ErrnoException) =>
      code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'other',
  )
}

function missing(nameOrPath: string): string {
  if (/\.[a-z]+$/i.test(nameOrPath)) return `${nameOrPath}: no such file; check the path`
  const known = allWeights()
    .map(({ name }) => name)
    .join(', ')
  return (
    `${nameOrPath}: no weights of this name and no such file; the names are: ${known}; ` +
    'or give the path of a weights file or a run folder'
  )
}
