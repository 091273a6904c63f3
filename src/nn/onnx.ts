import { at } from '../base/at.ts'
import { UsageError, WeightsError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { requireSeed } from '../base/random.ts'
import { requireFinite, type StateDict } from '../base/stateDict.ts'
import { type EngineArgument, requireEngine } from '../tensor/engineArgument.ts'
import type { Shape } from '../tensor/ndbuffer.ts'
import type { Engine } from '../tensor/tensor.ts'
import { labeled } from '../weights/arrays.ts'
import { chosenFiles } from '../weights/chosen.ts'
import type { LayerSpec, OnnxChain } from '../weights/onnx/layers.ts'
import { bytesPlace, openPlace, type WeightsPlace } from '../weights/place.ts'
import { imageNetNormalization, type Variant, variants } from './alexnet.ts'
import {
  AdaptiveAvgPool2d,
  Conv2d,
  Dropout,
  Flatten,
  type LayerInit,
  Linear,
  LocalResponseNorm,
  MaxPool2d,
  ReLU,
  Softmax,
} from './layers.ts'
import { classNamesIn, metadataOf, preprocessIn } from './metadata.ts'
import type { Module } from './module.ts'
import { type Architecture, Network } from './network.ts'
import type { Preprocess } from './preprocess.ts'

/**
 * Writes a network as an ONNX file (operator set 13) with the input `input` [batch, 3, size, size],
 * of any batch size, and the output `output` [batch, classes], the logits. Preprocessing, class
 * names and the variant are in its metadata, as in a run's safetensors file; weights have their
 * parameters' names. It computes the same as `forward` in evaluation: dropout has no effect.
 *
 * @returns the whole file; the same network gives the same bytes
 * @throws UsageError for a layer that ONNX has no operator for, naming it; NonFiniteError for a
 * weight that is NaN or infinite
 * @example await writeFile('dogs.onnx', await exportOnnx(model))
 */
export async function exportOnnx(model: Network): Promise<Uint8Array> {
  const shapes = model.shapes()
  const values = await model.stateDict()
  requireFinite(values, 'the network')
  const layers = model.layers.map((layer, i) => specOf(layer, at(shapes, i), values))
  const { writeOnnx } = await import('../weights/onnx/encode.ts')
  const [input, outputs] = [at(shapes, 0), at(at(shapes, shapes.length - 1), 0)]
  return writeOnnx({ input, layers, metadata: metadataOf(model), outputs })
}

/** An ONNX file: its bytes, its path or address, or files that were chosen in a browser. */
export type OnnxSource = Uint8Array | string | File | readonly File[]

/** Options of `importOnnx`. */
export interface ImportOnnxOptions {
  /**
   * How an image becomes the network's input. Default: that of the file's metadata, else ImageNet's
   * mean and standard deviation in RGB.
   */
  readonly preprocess?: Preprocess
  /** Seed of dropout. Default 0. */
  readonly seed?: number
}

/**
 * Builds the network of an ONNX file. It must be a chain of Conv, Relu, MaxPool, LRN, AveragePool
 * (without overlap), GlobalAveragePool, Flatten or Reshape, Gemm or MatMul and Add, Dropout,
 * Softmax, as every AlexNet is. If it has the layers of AlexNet, they get torchvision's names, so
 * that `applyScenario` and `loadStateDict` know them; else they keep the file's names.
 *
 * @param source the whole file's bytes; or, where its weights may lie in other files of its folder
 * (external data), its path (in a browser its address) or all `File`s of a browser's choice
 * @returns the network; everything is trainable. Its forward returns probabilities if the file
 * ends in Softmax
 * @throws WeightsError, with the node's name, for a damaged file or one that is not such a chain
 * @throws UsageError for an option that does not fit
 * @example
 * const model = await importOnnx(engine, 'alexnet.onnx')
 * applyScenario(model, { scenario: 'small-similar', classes: 6 })
 */
export function importOnnx<E>(
  engine: E & EngineArgument<E>,
  source: OnnxSource,
  options?: ImportOnnxOptions,
): Promise<Network>
export async function importOnnx(
  engine: Engine,
  source: OnnxSource,
  options: ImportOnnxOptions = {},
): Promise<Network> {
  requireEngine('importOnnx', engine)
  checkOptions('importOnnx', options, ['preprocess', 'seed'])
  const { seed = 0 } = options
  requireSeed(seed)
  const { tensorsOf } = await import('../weights/onnx/graph.ts')
  const chain = await chainOf(engine, source, options.preprocess?.size)
  const size = imageSize(chain)
  const architecture = architectureOf(chain)
  const classes = classNamesIn(chain.metadata, architecture.classes)
  const preprocess = options.preprocess ?? preprocessIn(chain.metadata) ?? usualPreprocess(size)
  if (preprocess.size !== size) {
    const made = `${preprocess.size}x${preprocess.size}`
    const message = `the network takes ${size}x${size} images, and preprocess makes ${made}`
    throw options.preprocess
      ? new UsageError(message)
      : new WeightsError(`${message}: the file is damaged`)
  }
  const model = new Network(
    engine,
    architecture,
    preprocess,
    chain.layers.map((layer) => layerOf(engine, layer)),
    seed,
  )
  try {
    model.loadStateDict(tensorsOf(chain))
  } catch (error) {
    model.dispose()
    throw error
  }
  model.pretrained = true
  model.classNames = classes
  return model
}

/** @param size of images, where the file leaves it open */
async function chainOf(
  engine: Engine,
  source: OnnxSource,
  size: number | undefined,
): Promise<OnnxChain> {
  const { readOnnx } = await import('../weights/onnx/graph.ts')
  if (source instanceof Uint8Array) return readOnnx(bytesPlace(source), size)
  let [label, open] = ['', () => engine.host.openWeights(String(source))]
  if (typeof source === 'string') label = source
  else {
    const { name, opener } = chosenFiles(source instanceof File ? [source] : source)
    label = name
    open = () => openPlace(opener, name)
  }
  let place: WeightsPlace | undefined
  try {
    place = await open()
    return await readOnnx(place, size)
  } catch (cause) {
    throw labeled(label, cause)
  } finally {
    await place?.close()
  }
}

/**
 * The description of one layer in a file.
 * @param shape of the layer's input, without the batch
 */
function specOf(layer: Module, shape: Shape, values: StateDict): LayerSpec {
  const { name } = layer
  const array = (kind: string) => {
    const found = values[`${name}.${kind}`]
    if (!found) throw new WeightsError(`layer ${name} has no ${kind}`)
    return found
  }
  const arrays = () => ({ weight: array('weight'), bias: array('bias') })
  if (layer instanceof Conv2d) return { name, kind: 'conv', ...arrays(), ...layer.options }
  if (layer instanceof Linear) return { name, kind: 'linear', ...arrays() }
  if (layer instanceof ReLU) return { name, kind: 'relu' }
  if (layer instanceof Flatten) return { name, kind: 'flatten' }
  if (layer instanceof Softmax) return { name, kind: 'softmax' }
  if (layer instanceof MaxPool2d) return { name, kind: 'maxPool', ...layer.options }
  if (layer instanceof Dropout) return { name, kind: 'dropout', p: layer.p }
  if (layer instanceof LocalResponseNorm) {
    if (layer.options.size % 2 === 0)
      throw new UsageError(
        `layer ${name}: ONNX has no LRN over an even number of channels as in PyTorch`,
      )
    return { name, kind: 'lrn', ...layer.options }
  }
  if (layer instanceof AdaptiveAvgPool2d) {
    const { size } = layer
    const [rows, columns] = size
    if (rows === 1 && columns === 1) return { name, kind: 'averagePool', size, window: 'all' }
    const [height, width] = [at(shape, 1), at(shape, 2)]
    if (height / rows !== width / columns || height % rows !== 0)
      throw new UsageError(
        `layer ${name}: ONNX has no average pool from ${height}x${width} to ${rows}x${columns}: ` +
          'the input must be a multiple of the output',
      )
    return { name, kind: 'averagePool', size, window: height / rows }
  }
  throw new UsageError(
    `layer ${name} (${layer.description}) cannot be written as an ONNX operator; ` +
      'export the network without it',
  )
}

function imageSize({ input }: OnnxChain): number {
  const [channels, height, width] = input
  if (channels !== 3 || height === undefined || height !== width)
    throw new WeightsError(
      `the network's input is [N, ${input.join(', ')}]; only [N, 3, S, S] can be used: ` +
        'square images of three channels',
    )
  return height
}

/**
 * As torchvision prepares images for 224x224: resized to a somewhat larger size, a center crop,
 * ImageNet's mean and standard deviation.
 */
function usualPreprocess(size: number): Preprocess {
  return { size, resize: Math.round((size * 256) / 224), ...imageNetNormalization }
}

function architectureOf({ layers, metadata }: OnnxChain): Architecture {
  const widths = (kind: 'conv' | 'linear') =>
    layers.flatMap((layer) => (layer.kind === kind ? [at(layer.weight.shape, 0)] : []))
  const [channels, dense] = [widths('conv'), widths('linear')]
  // A network without such layers has none of their numbers: 0.
  const dropout = layers.find((layer) => layer.kind === 'dropout')
  return {
    variant: variants.find((variant: Variant) => variant === metadata.architecture) ?? 'onnx',
    channels,
    hidden: dense.length > 1 ? at(dense, 0) : 0,
    dropout: dropout?.kind === 'dropout' ? dropout.p : 0,
    classes: dense.at(-1) ?? channels.at(-1) ?? 0,
  }
}

/** Weights come from the file: no random values are needed. */
const init: LayerInit = { weight: { kind: 'constant', value: 0 }, seed: 0, stream: 0 }

function layerOf(engine: Engine, layer: LayerSpec): Module {
  const { name } = layer
  switch (layer.kind) {
    case 'conv': {
      const { stride, padding, groups, weight } = layer
      const [outChannels, depth, kernel] = [
        at(weight.shape, 0),
        at(weight.shape, 1),
        at(weight.shape, 2),
      ]
      return new Conv2d(
        engine,
        name,
        { inChannels: depth * groups, outChannels, kernel, stride, padding, groups },
        init,
      )
    }
    case 'linear': {
      const { shape } = layer.weight
      return new Linear(engine, name, at(shape, 1), at(shape, 0), init)
    }
    case 'relu':
      return new ReLU(name)
    case 'flatten':
      return new Flatten(name)
    case 'softmax':
      return new Softmax(name)
    case 'logSoftmax':
      throw new WeightsError(
        `layer ${name} is a LogSoftmax, which Graft has no layer for; ` +
          'export the network without it, up to its logits',
      )
    case 'maxPool':
      return new MaxPool2d(name, layer)
    case 'averagePool':
      return new AdaptiveAvgPool2d(name, layer.size)
    case 'lrn':
      return new LocalResponseNorm(name, {
        size: layer.size,
        alpha: layer.alpha,
        beta: layer.beta,
        k: layer.k,
      })
    case 'dropout':
      return new Dropout(name, layer.p)
  }
}
