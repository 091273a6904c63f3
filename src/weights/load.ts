import { WeightsError } from '../gpu/errors.ts'
import { readWeightsFile } from './formats.ts'
import { hasDisk } from './place.ts'
import { findNamedWeights, type NamedWeights, namedWeights } from './registry.ts'
import type { WeightsFile } from './safetensors.ts'
import type { ByteSource } from './source.ts'

/**
 * Loads weights by a name that Graft or the user's own list knows (`graft weights list` shows them), or from a file: a PyTorch checkpoint
 * (.pth, .pt, .bin), safetensors (also in shards, by their index.json), ONNX, NumPy's .npz, or a TensorFlow.js layers model (model.json).
 * What a file is its content tells. What a name stands for is fetched once, unless GRAFT_OFFLINE is set, and its sha256 is verified every
 * time. A name comes before a file of the same name; write ./NAME for the file. In a browser all are fetched, a path relative to the page.
 *
 * @param nameOrPath for example 'torchvision/alexnet', 'run/model.safetensors' or 'alexnet.pth'
 * @returns the arrays by name, widened to float32; names as the file has them, those of TensorFlow.js and ONNX as torchvision's
 * @throws WeightsError in one line that begins with the name or path: unknown, missing, another format, damaged, hostile, out of reach
 * @example
 * const { tensors, metadata } = await loadWeights('alexnet-64-tinyimagenet100')
 */
export async function loadWeights(nameOrPath: string): Promise<WeightsFile> {
  const named = hasDisk() ? (await import('./node/store.ts')).findWeights(nameOrPath) : findNamedWeights(nameOrPath)
  if (named) return loadNamedWeights(named)
  if (hasDisk() && !(await isOnDisk(nameOrPath))) throw new WeightsError(await missing(nameOrPath))
  return readWeightsFile(nameOrPath, nameOrPath)
}

/**
 * Loads named weights and verifies their sha256; in Node they are fetched first where they are not here yet. The metadata say which
 * network they are for and what its outputs are called, where the file does not.
 *
 * @throws WeightsError where the file is missing or out of reach, or is not the one that was published
 */
export async function loadNamedWeights(weights: NamedWeights): Promise<WeightsFile> {
  const { name, file, variant, classNames } = weights
  const loaded = hasDisk()
    ? await readWeightsFile(name, await (await import('./node/store.ts')).fetchWeights(weights))
    : await readWeightsFile(name, file, (source) => requirePublished(weights, source))
  return {
    tensors: loaded.tensors,
    metadata: {
      ...(variant ? { architecture: variant } : {}),
      ...(classNames ? { classes: JSON.stringify(await classNames()) } : {}),
      ...loaded.metadata,
    },
  }
}

async function requirePublished({ sha256 }: NamedWeights, source: ByteSource): Promise<void> {
  const found = hex(await crypto.subtle.digest('SHA-256', await source.read(0, source.size)))
  if (!found.startsWith(sha256))
    throw new WeightsError(`the file is damaged or was changed: its sha256 is ${found} and ${sha256} was published`)
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

async function missing(nameOrPath: string): Promise<string> {
  if (/\.[a-z]+$/i.test(nameOrPath)) return `${nameOrPath}: no such file; check the path`
  const known = (hasDisk() ? (await import('./node/store.ts')).allWeights() : namedWeights).map(({ name }) => name).join(', ')
  return `${nameOrPath}: no weights of this name and no such file; the names are: ${known}; or give the path of a weights file`
}
