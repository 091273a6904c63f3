import { WeightsError } from '../../gpu/errors.ts'
import { sha256 } from '../../gpu/sha256.ts'
import { readWeightsFile } from '../formats.ts'
import { describeNamed } from '../named.ts'
import { findNamedWeights, type NamedWeights } from '../registry.ts'
import type { WeightsFile } from '../safetensors.ts'
import type { ByteSource } from '../source.ts'
import { web } from '../web.ts'

/**
 * Fetches weights: a PyTorch checkpoint (.pth, .pt, .bin), safetensors (also in shards, by their index.json), ONNX, NumPy's .npz, or a
 * TensorFlow.js layers model (model.json). What a file is its content tells. A name that Graft knows is looked for where the bundle keeps
 * the package's weights/, and its sha256 is verified.
 *
 * @param nameOrAddress an address or a path relative to the page, for example '/weights/mine.safetensors'; or a name
 * @returns the arrays by name, widened to float32; names as the file has them, those of TensorFlow.js and ONNX as torchvision's
 * @throws WeightsError in one line that begins with the name or address: out of reach, another format, damaged, hostile
 * @example
 * const { tensors, metadata } = await loadWeights('/weights/alexnet-64-tinyimagenet100.safetensors')
 */
export async function loadWeights(nameOrAddress: string): Promise<WeightsFile> {
  const named = findNamedWeights(nameOrAddress)
  if (!named) return readWeightsFile(nameOrAddress, nameOrAddress, web)
  return describeNamed(named, await readWeightsFile(named.name, addressOf(named), web, (source) => requirePublished(named, source)))
}

function addressOf(named: NamedWeights): URL {
  try {
    return named.file
  } catch (cause) {
    const message = `${named.name}: a script that is no module does not know where it lies: put a copy of the file beside the page and give its address`
    throw new WeightsError(message, { cause })
  }
}

async function requirePublished({ sha256: published }: NamedWeights, source: ByteSource): Promise<void> {
  const found = await sha256(await source.read(0, source.size))
  if (!found.startsWith(published))
    throw new WeightsError(`the file is damaged or was changed: its sha256 is ${found} and ${published} was published`)
}
