import { WeightsError } from '../../base/errors.ts'
import type { NamedArray } from '../../base/stateDict.ts'
import { contiguousStrides, gather, quote } from '../arrays.ts'
import type { WeightsPlace } from '../place.ts'
import type { WeightsFile } from '../safetensors.ts'
import { findAlexNet, type WeightedLayer } from './layers.ts'
import { readManifest } from './manifest.ts'

/** Whether a JSON file is the model.json of a TensorFlow.js model. */
export function isTfjsModel(json: Record<string, unknown>): boolean {
  return 'weightsManifest' in json || 'modelTopology' in json
}

/**
 * Reads a TensorFlow.js layers model, or a Keras model converted to one, that is an AlexNet: by its
 * layers, whatever their names. Convolutions turn from [height, width, in, out] to [out, in,
 * height, width], dense layers from [in, out] to [out, in], and the first dense layer's inputs from
 * the order (height, width, channel) of TensorFlow's Flatten to (channel, height, width).
 *
 * @returns torchvision's names; metadata.architecture says which network it is
 * @throws WeightsError for a graph model, for another network, and for shards that do not fit the
 * manifest
 */
export async function readTfjsModel(
  place: WeightsPlace,
  json: Record<string, unknown>,
): Promise<WeightsFile> {
  if (json.format === 'graph-model')
    throw new WeightsError(
      'this is a graph model, whose layers are no longer known; ' +
        'convert the Keras model to a layers model',
    )
  const { variant, layers } = findAlexNet(json.modelTopology)
  const weights = await readManifest(place, json.weightsManifest)
  const weightOf = ({ keras }: WeightedLayer, kind: string, rank: number): NamedArray => {
    const name = `${keras}/${kind}`
    // A nested model's weights have its name in front.
    const nested = Array.from(weights.keys()).find((key) => key.endsWith(`/${name}`))
    const found = weights.get(name) ?? (nested === undefined ? undefined : weights.get(nested))
    if (found?.shape.length !== rank)
      throw new WeightsError(`the manifest has no weight ${quote(name)} of ${rank} dimensions`)
    return found
  }
  const firstDense = layers.find(({ kind }) => kind === 'dense')
  const lastConvolution = layers.findLast(({ kind }) => kind === 'convolution')
  const channels = lastConvolution ? weightOf(lastConvolution, 'bias', 1).data.length : null
  const tensors = layers.flatMap((layer): [string, NamedArray][] => {
    const bias = weightOf(layer, 'bias', 1)
    const kernel = weightOf(layer, 'kernel', layer.kind === 'convolution' ? 4 : 2)
    const flattened = layer === firstDense ? channels : null
    const weight =
      layer.kind === 'convolution'
        ? transposeConvolution(kernel)
        : transposeDense(kernel, flattened, layer.keras)
    return [
      [`${layer.torchvision}.weight`, weight],
      [`${layer.torchvision}.bias`, bias],
    ]
  })
  return { tensors: Object.fromEntries(tensors), metadata: { architecture: variant } }
}

/** [H, W, I, O] to [O, I, H, W]. */
function transposeConvolution({ shape, data, dtype }: NamedArray): NamedArray {
  const turned = ([h, w, i, o]: readonly number[]) => [o, i, h, w] as number[]
  const outShape = turned(shape)
  const values = gather(data, outShape, turned(contiguousStrides(shape)))
  return { shape: outShape, data: values, ...(dtype ? { dtype } : {}) }
}

/**
 * [in, out] to [out, in]; with `channels` the inputs are places of an image, from (place, channel)
 * to (channel, place).
 */
function transposeDense(
  { shape, data, dtype }: NamedArray,
  channels: number | null,
  name: string,
): NamedArray {
  const [inputs, outputs] = shape as [number, number] // weightOf has checked the rank
  if (channels !== null && (channels === 0 || inputs % channels !== 0))
    throw new WeightsError(
      `the Dense layer ${quote(name)} takes ${inputs} inputs, ` +
        `which is not a multiple of its ${channels} channels`,
    )
  const depth = channels ?? inputs // without an image every input is a channel of one place
  const places = channels === null ? 1 : inputs / channels
  const values = gather(data, [outputs, depth, places], [1, outputs, depth * outputs])
  return { shape: [outputs, inputs], data: values, ...(dtype ? { dtype } : {}) }
}
