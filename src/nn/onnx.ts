import { UsageError, WeightsError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { requireSeed } from '../base/random.ts'
import type { StateDict } from '../base/stateDict.ts'
import type { Engine } from '../tensor/engine.ts'
import type { LayerSpec, OnnxChain } from '../weights/onnx/layers.ts'
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
 * Writes a network as an ONNX file (operator set 13): input `input` [batch, 3, size, size] with a
 * dynamic batch, output `output` [batch, classes], the logits. Preprocessing, class names and the
 * variant are in its metadata, as in a run's safetensors file; weights bear their parameters'
 * names. A runtime computes what `forward` computes in evaluation: dropout is there and drops
 * nothing.
 *
 * @returns the whole file; the same network gives the same bytes
 * @throws UsageError for a layer that ONNX has no operator for, naming it
 * @example await writeFile('dogs.onnx', await exportOnnx(model))
 */
export async function exportOnnx(model: Network): Promise<Uint8Array> {
  const shapes = model.shapes()
  const outputs = shapes.at(-1)?.[0] ?? 0
  const values = await model.stateDict()
  const layers = model.layers.map((layer, i) => specOf(layer, shapes[i] ?? [], values))
  const { writeOnnx } = await import('../weights/onnx/encode.ts')
  return writeOnnx({ input: shapes[0] ?? [], layers, metadata: metadataOf(model), outputs })
}

/** What `importOnnx` is told beside the file. */
export interface ImportOnnxOptions {
  /**
   * How an image becomes the network's input; where the file does not say, ImageNet's mean and
   * deviation in RGB are taken.
   */
  readonly preprocess?: Preprocess
  /** Seeds dropout. Default 0. */
  readonly seed?: number
}

/**
 * Builds the network of an ONNX file: a chain of Conv, Relu, MaxPool, LRN, AveragePool (without
 * overlap), GlobalAveragePool, Flatten or Reshape, Gemm or MatMul and Add, Dropout, Softmax, as
 * every AlexNet is. Where it is shaped like AlexNet its layers get torchvision's names, so that
 * `applyScenario` and `loadStateDict` know them; else they keep the file's.
 *
 * @param bytes the whole file, weights included
 * @returns the network; everything is trainable. Its forward ends in probabilities where the file
 * ends in Softmax
 * @throws WeightsError, with the node's name, for what is damaged or no such chain
 * @throws UsageError for an option that does not fit
 * @example
 * const model = await importOnnx(engine, await readFile('alexnet.onnx'))
 * applyScenario(model, { scenario: 'small-similar', classes: 6 })
 */
export async function importOnnx(
  engine: Engine,
  bytes: Uint8Array,
  options: ImportOnnxOptions = {},
): Promise<Network> {
  checkOptions('importOnnx', options, ['preprocess', 'seed'])
  const { seed = 0 } = options
  requireSeed(seed)
  const { readOnnx, tensorsOf } = await import('../weights/onnx/graph.ts')
  const chain = readOnnx(bytes)
  const size = imageSize(chain)
  const architecture = architectureOf(chain)
  const classes = classNamesIn(chain.metadata, architecture.classes)
  const preprocess = options.preprocess ?? preprocessIn(chain.metadata) ?? usualPreprocess(size)
  if (preprocess.size !== size) {
    const message = `the network takes ${size}x${size} images, and preprocess makes ${preprocess.size}x${preprocess.size}`
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

/** What one layer computes, for a file. */
function specOf(
  layer: Module,
  [, height = 0, width = 0]: readonly number[],
  values: StateDict,
): LayerSpec {
  const { name } = layer
  const array = (kind: string) =>
    values[`${name}.${kind}`] ?? { shape: [0], data: new Float32Array(0) }
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
        `layer ${name}: ONNX has no LRN over an even number of channels as PyTorch has it`,
      )
    return { name, kind: 'lrn', ...layer.options }
  }
  if (layer instanceof AdaptiveAvgPool2d) {
    const { size } = layer
    const [rows, columns] = size
    if (rows === 1 && columns === 1) return { name, kind: 'averagePool', size, window: 'all' }
    if (height / rows !== width / columns || height % rows !== 0)
      throw new UsageError(
        `layer ${name}: ONNX has no average pool from ${height}x${width} to ${rows}x${columns}, only one whose windows divide`,
      )
    return { name, kind: 'averagePool', size, window: height / rows }
  }
  throw new UsageError(
    `layer ${name} (${layer.description}) has no operator in ONNX that Graft writes; export the network without it`,
  )
}

function imageSize({ input }: OnnxChain): number {
  const [channels, height = 0, width] = input
  if (channels !== 3 || height !== width)
    throw new WeightsError(
      `the network takes [N, ${input.join(', ')}], and networks here take [N, 3, S, S]: square images of three channels`,
    )
  return height
}

/**
 * As torchvision prepares images for 224x224: the shorter side somewhat larger, the middle cut out,
 * ImageNet's mean and deviation.
 */
function usualPreprocess(size: number): Preprocess {
  return { size, resize: Math.round((size * 256) / 224), ...imageNetNormalization }
}

function architectureOf({ layers, metadata }: OnnxChain): Architecture {
  const dense = layers.flatMap((layer) =>
    layer.kind === 'linear' ? [layer.weight.shape[0] ?? 0] : [],
  )
  const channels = layers.flatMap((layer) =>
    layer.kind === 'conv' ? [layer.weight.shape[0] ?? 0] : [],
  )
  const dropout = layers.find((layer) => layer.kind === 'dropout')
  return {
    variant: variants.find((variant: Variant) => variant === metadata.architecture) ?? 'onnx',
    channels,
    hidden: dense.length > 1 ? (dense[0] ?? 0) : 0,
    dropout: dropout?.kind === 'dropout' ? dropout.p : 0,
    classes: dense.at(-1) ?? channels.at(-1) ?? 0,
  }
}

/** Values follow from the file: nothing is drawn. */
const init: LayerInit = { weight: { kind: 'constant', value: 0 }, seed: 0, stream: 0 }

function layerOf(engine: Engine, layer: LayerSpec): Module {
  const { name } = layer
  switch (layer.kind) {
    case 'conv': {
      const [outChannels = 0, depth = 0, kernel = 0] = layer.weight.shape
      const { stride, padding, groups } = layer
      return new Conv2d(
        engine,
        name,
        { inChannels: depth * groups, outChannels, kernel, stride, padding, groups },
        init,
      )
    }
    case 'linear': {
      const [outputs = 0, inputs = 0] = layer.weight.shape
      return new Linear(engine, name, inputs, outputs, init)
    }
    case 'relu':
      return new ReLU(name)
    case 'flatten':
      return new Flatten(name)
    case 'softmax':
      return new Softmax(name)
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
