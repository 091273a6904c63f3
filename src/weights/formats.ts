import { WeightsError } from '../base/errors.ts'
import { option, optionText } from '../base/optionText.ts'
import type { LoadOptions, NamedArray } from '../base/stateDict.ts'
import { readArchive } from './archive.ts'
import { labeled } from './arrays.ts'
import { readJson } from './json.ts'
import { findNames } from './names.ts'
import { isNpz, readNpz } from './npz.ts'
import { type Opener, openPlace, type WeightsPlace } from './place.ts'
import { isTorchArchive, isTorchStream, readTorchArchive, readTorchStream } from './pytorch/read.ts'
import { readSafetensorsFrom, type WeightsFile } from './safetensors.ts'
import { isShardIndex, readSharded } from './sharded.ts'
import type { ByteSource } from './source.ts'
import { isTfjsModel, readTfjsModel } from './tfjs/read.ts'

/** The formats that Graft reads, for error messages. */
const readable =
  'PyTorch checkpoints (.pth, .pt, .bin, .pt2), .safetensors and their .index.json, .npz, .onnx, ' +
  'and the model.json of TensorFlow.js'

/** Other formats for weights: how their files begin, and what to do with them. */
const otherFormats: readonly (readonly [begins: string | RegExp, advice: string])[] = [
  [
    '\x89HDF\r\n',
    'this is an HDF5 file, as Keras writes it; ' +
      'convert it with tensorflowjs_converter --input_format=keras',
  ],
  ['\x93NUMPY', 'this is a single NumPy array; save all of them with numpy.savez'],
  ['version https://git-lfs', 'this is a Git LFS pointer, not the weights; run "git lfs pull"'],
  ['\x1f\x8b', 'this is compressed with gzip; unpack it first'],
  [/^\s*<(!doctype|html)/i, 'this is a web page, not weights; download the file itself'],
  [
    /^.{257}ustar/s,
    'this is a tar archive, as PyTorch wrote it before 0.1.10; ' +
      'load it with torch.load and save it again',
  ],
]

/** Formats are told apart by this many bytes at the start. */
const headBytes = 512

/**
 * Reads a weights file of any known format. The format is recognized by the content, except that a
 * name ending in .safetensors is believed.
 *
 * @param label what errors begin with: the name or path that the user gave
 * @param place the file's path or address
 * @param opener how the host opens it
 * @param options `weightsKey` and `weightsPrefix`: where in it the weights are, if that is known;
 * `verify` checks the whole file before it is read, and throws if it is not the wanted one
 * @returns the arrays of AlexNet's prefix, without it; all of them where there is no AlexNet
 * @throws WeightsError in one line that begins with the label
 */
export async function readWeightsFile(
  label: string,
  place: string | URL,
  opener: Opener,
  options: LoadOptions & { readonly verify?: (source: ByteSource) => Promise<void> } = {},
): Promise<WeightsFile> {
  let opened: WeightsPlace | undefined
  try {
    opened = await openPlace(opener, place)
    await options.verify?.(opened.source)
    return behindPrefix(await readOpened(opened, String(place), options.weightsKey), options)
  } catch (cause) {
    throw labeled(label, cause)
  } finally {
    await opened?.close()
  }
}

/** The file's arrays by AlexNet's names, without those that stand outside of its prefix. */
function behindPrefix(
  { tensors, metadata, remarks = [] }: WeightsFile,
  { weightsPrefix }: LoadOptions,
): WeightsFile {
  const found = findNames(Object.keys(tensors), weightsPrefix)
  const named = Object.entries(tensors).flatMap(([name, array]): [string, NamedArray][] => {
    const own = found.names.get(name)
    return own === undefined ? [] : [[own, array]]
  })
  const all = [...remarks, ...found.remarks]
  return {
    tensors: Object.fromEntries(named),
    metadata,
    ...(found.ignored.length > 0 ? { ignored: found.ignored } : {}),
    ...(all.length > 0 ? { remarks: all } : {}),
  }
}

async function readOpened(
  place: WeightsPlace,
  path: string,
  key: string | undefined,
): Promise<WeightsFile> {
  const { source } = place
  const head = await source.read(0, Math.min(headBytes, source.size))
  const start = String.fromCharCode(...head)
  if (path.toLowerCase().endsWith('.safetensors') || start[8] === '{') {
    refuseKey(key)
    return readSafetensorsFrom(source)
  }
  if (start.startsWith('PK')) {
    const archive = await readArchive(source)
    if (isTorchArchive(archive)) return readTorchArchive(source, archive, key)
    refuseKey(key)
    if (isNpz(archive)) return readNpz(source, archive)
    throw new WeightsError(
      'this is a zip archive, but neither of PyTorch (no data.pkl in it) ' +
        'nor of NumPy (not only .npy in it)',
    )
  }
  if (isTorchStream(start)) return readTorchStream(source, key)
  refuseKey(key)
  // An ONNX file has no signature; its first field is nearly always the IR version.
  if (start[0] === '\x08' || path.toLowerCase().endsWith('.onnx'))
    return (await import('./onnx/graph.ts')).readOnnxWeights(place)
  if (/^\s*\{/.test(start)) {
    const json = await readJson(source)
    if (isShardIndex(json)) return readSharded(place, json)
    if (isTfjsModel(json)) return readTfjsModel(place, json)
    throw new WeightsError(
      'this is JSON, but neither a shard index (no weight_map) ' +
        'nor a TensorFlow.js model (no weightsManifest)',
    )
  }
  const other = otherFormats.find(([begins]) =>
    typeof begins === 'string' ? start.startsWith(begins) : begins.test(start),
  )?.[1]
  throw new WeightsError(
    other ?? `this is not a weights file that Graft knows: it reads ${readable}`,
  )
}

function refuseKey(key: string | undefined): void {
  if (key === undefined) return
  throw new WeightsError(
    optionText`only a PyTorch checkpoint has dictionaries to choose from: leave
      ${option('weightsKey')} out`,
  )
}
