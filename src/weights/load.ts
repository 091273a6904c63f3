import { WeightsError } from '../gpu/errors.ts'
import { readWeightsFile } from './formats.ts'
import { hasDisk } from './place.ts'
import { findNamedWeights, type NamedWeights, namedWeights } from './registry.ts'
import type { WeightsFile } from './safetensors.ts'

/**
 * Loads weights by the name of a set that Graft ships (see `namedWeights`; its sha256 is verified), or from a file: a PyTorch checkpoint
 * (.pth, .pt, .bin), safetensors (also in shards, by their index.json), NumPy's .npz, or a TensorFlow.js layers model (model.json). What a
 * file is its content tells. A name comes before a file of the same name; write ./NAME for the file. In a browser all are fetched, a path
 * relative to the page.
 *
 * @param nameOrPath for example 'alexnet-64-tinyimagenet100', 'run/model.safetensors' or 'alexnet.pth'
 * @returns the arrays by name, widened to float32; names as the file has them, those of TensorFlow.js as torchvision's
 * @throws WeightsError in one line that begins with the name or path: unknown, missing, a folder, another format, damaged, hostile
 * @example
 * const { tensors, metadata } = await loadWeights('alexnet-64-tinyimagenet100')
 */
export async function loadWeights(nameOrPath: string): Promise<WeightsFile> {
  const named = findNamedWeights(nameOrPath)
  if (named) return loadNamedWeights(named)
  if (hasDisk() && !(await isOnDisk(nameOrPath))) throw new WeightsError(missing(nameOrPath))
  return readWeightsFile(nameOrPath, nameOrPath)
}

/**
 * Loads weights that Graft ships and verifies their sha256.
 *
 * @throws WeightsError where the file is missing, or is not the one that was published
 */
export async function loadNamedWeights({ name, file, sha256 }: NamedWeights): Promise<WeightsFile> {
  return readWeightsFile(name, file, async (source) => {
    const found = hex(await crypto.subtle.digest('SHA-256', await source.read(0, source.size)))
    if (found !== sha256)
      throw new WeightsError(`the file is damaged or was changed: its sha256 is ${found} and ${sha256} was published; install Graft again`)
  })
}

function hex(digest: ArrayBuffer): string {
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function isOnDisk(path: string): Promise<boolean> {
  const { stat } = await import('node:fs/promises')
  return stat(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT' && code !== 'ENOTDIR',
  )
}

function missing(nameOrPath: string): string {
  if (/\.[a-z]+$/i.test(nameOrPath)) return `${nameOrPath}: no such file; check the path`
  const known = namedWeights.map(({ name }) => name).join(', ')
  return `${nameOrPath}: no weights of this name and no such file; the names are: ${known}; or give the path of a weights file`
}
