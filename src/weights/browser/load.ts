import { WeightsError } from '../../base/errors.ts'
import { sha256 } from '../../base/sha256.ts'
import type { LoadOptions } from '../../base/stateDict.ts'
import { chosenFiles } from '../chosen.ts'
import { readWeightsFile } from '../formats.ts'
import { checkLoadOptions, describeNamed } from '../named.ts'
import { findNamedWeights, type NamedWeights, type WeightsName } from '../registry.ts'
import type { WeightsFile } from '../safetensors.ts'
import type { ByteSource } from '../source.ts'
import { web } from '../web.ts'

/**
 * Reads weights from an address or from a file that a person chose: a PyTorch checkpoint (.pth,
 * .pt, .bin), safetensors (also in shards, by their index.json), ONNX, NumPy's .npz, or a
 * TensorFlow.js layers model (model.json). The format is recognized by the content. A name that
 * Graft knows is fetched from the place where the bundle keeps the package's weights/, and its
 * sha256 is verified.
 *
 * @param source an address or a path relative to the page, for example '/weights/mine.safetensors';
 * a name; or a file from an `<input type="file">`. Of weights in several files (shards,
 * TensorFlow.js, ONNX with external data) give the address of the index or model, or all files
 * @param options where in the file the weights are, if that has to be said
 * @returns the arrays by name, widened to float32. The names are the file's own without the prefix
 * before `features.0.weight`, except that those of TensorFlow.js and ONNX become torchvision's.
 * What is outside of the prefix is left out, and named in `ignored`
 * @throws UsageError for options that do not exist, or for weights whose file Graft knows
 * @throws WeightsError in one line that begins with the name or address: unreachable, an unknown
 * format, damaged, hostile
 * @example
 * const { tensors, metadata } = await
 * loadWeights('/weights/alexnet-64-tinyimagenet100.safetensors')
 * @example
 * const model = await alexnet(engine, { weights: (await loadWeights(input.files[0])).tensors })
 * @example
 * const { tensors } = await loadWeights([...input.files]) // alexnet.onnx and alexnet.onnx.data
 */
export async function loadWeights(
  source: WeightsName | (string & {}) | File | readonly File[],
  options: LoadOptions = {},
): Promise<WeightsFile> {
  if (typeof source !== 'string') {
    const { name, opener } = chosenFiles(source instanceof File ? [source] : source)
    checkLoadOptions(name, options)
    return readWeightsFile(name, name, opener, options)
  }
  checkLoadOptions(source, options)
  const named = findNamedWeights(source)
  if (!named) return readWeightsFile(source, source, web, options)
  return describeNamed(
    named,
    await readWeightsFile(named.name, addressOf(named), web, {
      verify: (bytes) => requirePublished(named, bytes),
    }),
  )
}

function addressOf(named: NamedWeights): URL {
  try {
    return named.file
  } catch (cause) {
    throw new WeightsError(
      `${named.name}: its address is known to module scripts only; ` +
        'put a copy of the file beside the page and give its address',
      { cause },
    )
  }
}

async function requirePublished(
  { sha256: published }: NamedWeights,
  source: ByteSource,
): Promise<void> {
  const found = await sha256(await source.read(0, source.size))
  if (!found.startsWith(published))
    throw new WeightsError(
      `the file is damaged or was changed: its sha256 is ${found} and ${published} was published`,
    )
}
