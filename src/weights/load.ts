import { WeightsError } from '../gpu/errors.ts'
import { findNamedWeights, type NamedWeights, namedWeights } from './registry.ts'
import { readSafetensors, type WeightsFile } from './safetensors.ts'

const extension = '.safetensors'

/** Formats that people hold weights in, by the end of the file's name. */
const otherFormats: Record<string, string> = {
  '.pth': 'a PyTorch checkpoint',
  '.pt': 'a PyTorch checkpoint',
  '.bin': 'a PyTorch checkpoint',
  '.ckpt': 'a checkpoint',
  '.onnx': 'an ONNX model',
  '.pb': 'a TensorFlow model',
  '.h5': 'a Keras model',
  '.npz': 'a NumPy archive',
  '.caffemodel': 'a Caffe model',
}

/**
 * Loads weights by the name of a set that Graft ships (see `namedWeights`; its sha256 is verified), or from a .safetensors file. A name
 * comes before a file of the same name; write ./NAME for the file. In a browser both are fetched, a path relative to the page.
 *
 * @param nameOrPath for example 'alexnet-64-tinyimagenet100' or 'run/model.safetensors'
 * @throws WeightsError in one line that begins with the name or path: unknown, missing, a folder, another format, damaged
 * @example
 * const { tensors, metadata } = await loadWeights('alexnet-64-tinyimagenet100')
 */
export async function loadWeights(nameOrPath: string): Promise<WeightsFile> {
  const named = findNamedWeights(nameOrPath)
  if (named) return loadNamedWeights(named)
  if (!nameOrPath.toLowerCase().endsWith(extension)) throw new WeightsError(await whyNotAFile(nameOrPath))
  return parse(nameOrPath, await read(nameOrPath, nameOrPath))
}

/**
 * Loads weights that Graft ships and verifies their sha256.
 *
 * @throws WeightsError where the file is missing, or is not the one that was published
 */
export async function loadNamedWeights({ name, file, sha256 }: NamedWeights): Promise<WeightsFile> {
  const bytes = await read(name, file)
  const found = hex(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>))
  if (found !== sha256) {
    throw new WeightsError(
      `${name}: the file is damaged or was changed: its sha256 is ${found} and ${sha256} was published; install Graft again`,
    )
  }
  return parse(name, bytes)
}

function hex(digest: ArrayBuffer): string {
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function parse(label: string, bytes: Uint8Array): WeightsFile {
  try {
    return readSafetensors(bytes, { inPlace: true })
  } catch (cause) {
    if (cause instanceof WeightsError) throw new WeightsError(`${label}: ${cause.message}`, { cause })
    throw cause
  }
}

/** The file's bytes: from the disk where the host has one, else over the network. */
async function read(label: string, place: string | URL): Promise<Uint8Array> {
  if (!hasDisk() || (place instanceof URL && place.protocol !== 'file:')) return fetchBytes(label, place)
  const { readFile } = await import('node:fs/promises')
  try {
    return await readFile(place)
  } catch (cause) {
    throw new WeightsError(`${label}: ${reasonFor(cause, place)}`, { cause })
  }
}

async function fetchBytes(label: string, place: string | URL): Promise<Uint8Array> {
  let response: Response
  try {
    response = await fetch(place)
  } catch (cause) {
    throw new WeightsError(`${label}: cannot be fetched from ${place}; check the address and the network`, { cause })
  }
  if (!response.ok) throw new WeightsError(`${label}: the server answered ${response.status} for ${place}; check the address`)
  return new Uint8Array(await response.arrayBuffer())
}

function hasDisk(): boolean {
  return typeof process !== 'undefined' && process.versions?.node !== undefined
}

function reasonFor(error: unknown, place: string | URL): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return place instanceof URL ? `${place.pathname} is missing; install Graft again` : 'no such file; check the path'
  if (code === 'EISDIR') return `this is a folder; name the ${extension} file in it`
  if (code === 'EACCES' || code === 'EPERM') return 'no permission to read it; change its rights'
  return `cannot be read (${message})`
}

async function whyNotAFile(nameOrPath: string): Promise<string> {
  const ending = /\.[^./\\]+$/.exec(nameOrPath.toLowerCase())?.[0] ?? ''
  const format = Object.hasOwn(otherFormats, ending) ? otherFormats[ending] : undefined
  if (format) return `${nameOrPath}: this is ${format} by its name, and only ${extension} files are read for now; convert it to safetensors`
  const kind = await kindOnDisk(nameOrPath)
  if (kind === 'folder') return `${nameOrPath}: this is a folder; name the ${extension} file in it`
  if (kind === 'file') return `${nameOrPath}: only ${extension} files are read for now; convert it, or give it that ending if it is one`
  const known = namedWeights.map(({ name }) => name).join(', ')
  return `${nameOrPath}: no weights of this name and no such file; the names are: ${known}; or give the path of a ${extension} file`
}

async function kindOnDisk(path: string): Promise<'file' | 'folder' | null> {
  if (!hasDisk()) return null
  const { stat } = await import('node:fs/promises')
  const found = await stat(path).catch(() => null)
  return found ? (found.isDirectory() ? 'folder' : 'file') : null
}
