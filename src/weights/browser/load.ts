import { WeightsError } from '../../base/errors.ts'
import { sha256 } from '../../base/sha256.ts'
import { readWeightsFile } from '../formats.ts'
import { describeNamed } from '../named.ts'
import type { Opener } from '../place.ts'
import { findNamedWeights, type NamedWeights } from '../registry.ts'
import type { WeightsFile } from '../safetensors.ts'
import { type ByteSource, blobSource } from '../source.ts'
import { web } from '../web.ts'

/**
 * Reads weights that are fetched or that a person chose: a PyTorch checkpoint (.pth, .pt, .bin),
 * safetensors (also in shards, by their index.json), ONNX, NumPy's .npz, or a TensorFlow.js layers
 * model (model.json). What a file is its content tells. A name that Graft knows is looked for where
 * the bundle keeps the package's weights/, and its sha256 is verified.
 *
 * @param source an address or a path relative to the page, for example '/weights/mine.safetensors';
 * a name; or a file from an `<input type="file">`, which must hold everything: shards and
 * TensorFlow.js models of several files are fetched by address alone
 * @returns the arrays by name, widened to float32; names as the file has them, those of
 * TensorFlow.js and ONNX as torchvision's
 * @throws WeightsError in one line that begins with the name or address: out of reach, another
 * format, damaged, hostile
 * @example
 * const { tensors, metadata } = await
 * loadWeights('/weights/alexnet-64-tinyimagenet100.safetensors')
 * @example
 * const model = await alexnet(engine, { weights: (await loadWeights(input.files[0])).tensors })
 */
export async function loadWeights(source: string | File): Promise<WeightsFile> {
  if (source instanceof File) return readWeightsFile(source.name, source.name, alone(source))
  const named = findNamedWeights(source)
  if (!named) return readWeightsFile(source, source, web)
  return describeNamed(
    named,
    await readWeightsFile(named.name, addressOf(named), web, (source) =>
      requirePublished(named, source),
    ),
  )
}

/** A file that a person chose: the browser shows none of its folder's others. */
function alone(file: File): Opener {
  return {
    open: async (place) => {
      if (place === file.name) return blobSource(file)
      throw new WeightsError(
        'it lies beside the chosen file, out of reach of the page; choose weights that are one file',
      )
    },
    beside: (_, name) => `beside/${name}`,
  }
}

function addressOf(named: NamedWeights): URL {
  try {
    return named.file
  } catch (cause) {
    const message = `${named.name}: a script that is no module does not know where it lies: put a copy of the file beside the page and give its address`
    throw new WeightsError(message, { cause })
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
