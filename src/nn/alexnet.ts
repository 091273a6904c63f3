import { at } from '../base/at.ts'
import { type ClassCount, requireClasses } from '../base/classCount.ts'
import { UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { requireSeed } from '../base/random.ts'
import type { LoadOptions, StateDict } from '../base/stateDict.ts'
import { type EngineArgument, requireEngine } from '../tensor/engineArgument.ts'
import type { Shape } from '../tensor/ndbuffer.ts'
import type { Engine } from '../tensor/tensor.ts'
import { labeled } from '../weights/arrays.ts'
import type { WeightsName } from '../weights/registry.ts'
import { channelsOf, fillNetwork, readWeights, variantByShapes, widthOf } from './alexnetWeights.ts'
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
} from './layers.ts'
import { classNamesIn } from './metadata.ts'
import type { Module } from './module.ts'
import { type Architecture, Network } from './network.ts'
import type { Preprocess } from './preprocess.ts'

/**
 * The variants of `alexnet`: torchvision's, that of 2012 as in Caffe, and one for 64 x 64 images.
 */
export const variants = ['torchvision', 'bvlc', 'alexnet-64'] as const
/** One of `variants`. */
export type Variant = (typeof variants)[number]

/** Options of `alexnet`. */
export interface AlexNetOptions extends LoadOptions {
  /** Default: that of the weights, by their metadata or shapes, else 'torchvision'. */
  readonly variant?: Variant
  /** Number of outputs. Default: that of the weights, else 1000 (alexnet-64: 100). */
  readonly classes?: number
  /**
   * Output channels of the five convolutions. Default: those of the weights, else the variant's.
   */
  readonly channels?: readonly number[]
  /** Width of both hidden FC layers. Default: that of the weights, else the variant's. */
  readonly hidden?: number
  /** Probability of both dropouts. Default: the variant's. */
  readonly dropout?: number
  /** A registered name, a path, or arrays by name. Without it all parameters are random. */
  readonly weights?: WeightsName | (string & {}) | StateDict
  /** Seed of initial values and dropout. Default 0. */
  readonly seed?: number
}

/** Kernel, stride, padding and groups. */
type Convolution = readonly [number, number, number, number]

/** What differs between the variants. The order of layers is the same in all. */
interface VariantSpec {
  readonly channels: readonly number[]
  readonly hidden: number
  readonly dropout: number
  readonly classes: number
  readonly convolutions: readonly Convolution[]
  readonly norm: boolean
  readonly pool: readonly [number, number] | null
  /** Dropout comes before each hidden FC layer (torchvision), or after each hidden ReLU (Caffe). */
  readonly dropoutBefore: boolean
  readonly preprocess: Preprocess
}

/** Mean and standard deviation of ImageNet's images, RGB in 0..1, as in torchvision. */
export const imageNetNormalization = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  scale: 1,
  order: 'rgb',
} as const

/** How Caffe normalizes: the mean of ImageNet's images, BGR in 0..255, is subtracted. */
export const caffeNormalization = {
  mean: [104, 117, 123],
  std: [1, 1, 1],
  scale: 255,
  order: 'bgr',
} as const

/** The convolutions of the two variants without groups, which differ in the first one only. */
const ungrouped = (first: Convolution): readonly Convolution[] => [
  first,
  [5, 1, 2, 1],
  [3, 1, 1, 1],
  [3, 1, 1, 1],
  [3, 1, 1, 1],
]

/**
 * torchvision: Krizhevsky 2014 (arXiv:1404.5997). bvlc: Krizhevsky, Sutskever & Hinton 2012 as
 * Caffe trained it. alexnet-64: Graft's own small one.
 */
const specs: Readonly<Record<Variant, VariantSpec>> = {
  torchvision: {
    channels: [64, 192, 384, 256, 256],
    hidden: 4096,
    dropout: 0.5,
    classes: 1000,
    convolutions: ungrouped([11, 4, 2, 1]),
    norm: false,
    pool: [6, 6],
    dropoutBefore: true,
    preprocess: { size: 224, resize: 256, ...imageNetNormalization },
  },
  bvlc: {
    channels: [96, 256, 384, 384, 256],
    hidden: 4096,
    dropout: 0.5,
    classes: 1000,
    convolutions: [
      [11, 4, 0, 1],
      [5, 1, 2, 2],
      [3, 1, 1, 1],
      [3, 1, 1, 2],
      [3, 1, 1, 2],
    ],
    norm: true,
    pool: null,
    dropoutBefore: false,
    preprocess: {
      size: 227,
      resize: 256,
      ...caffeNormalization,
    },
  },
  'alexnet-64': {
    channels: [32, 96, 128, 128, 96],
    hidden: 512,
    dropout: 0.3,
    classes: 100,
    convolutions: ungrouped([5, 2, 2, 1]),
    norm: false,
    pool: null,
    dropoutBefore: true,
    preprocess: { size: 64, resize: 64, ...imageNetNormalization },
  },
}

/** The preprocessing of a variant's input. */
export function preprocessOf(variant: Variant): Preprocess {
  return specs[variant].preprocess
}

/**
 * Makes an AlexNet, with weights or without. The weights may come from any training: a prefix
 * before their names is found, and what they have beside AlexNet's layers is ignored and named. If
 * their FC layers are not AlexNet's, or have another width, they are left out, for `applyScenario`
 * to replace.
 * @returns the network; `missing` names the parameters that the weights do not contain, `left` what
 * was left out of their FC layers, `ignored` what is not AlexNet's; `preprocess` describes its
 * input
 * @throws WeightsError for a file that cannot be read, for names in the convolutions that the
 * network does not know, for shapes that differ there (with `classes` or `hidden` also in the FC
 * layers), and if the file contains none of the parameters
 * @throws NonFiniteError for weights that are NaN or infinite
 * @throws UsageError for options that do not exist or do not fit
 * @example
 * const weights = 'alexnet-64-tinyimagenet100'
 * const model = await alexnet(engine, { variant: 'alexnet-64', weights })
 */
export function alexnet<E, N extends number>(
  engine: E & EngineArgument<E>,
  options?: AlexNetOptions & { readonly classes?: N & ClassCount<N> },
): Promise<Network>
export async function alexnet(engine: Engine, options: AlexNetOptions = {}): Promise<Network> {
  requireEngine('alexnet', engine)
  checkOptions('alexnet', options, [
    'variant',
    'classes',
    'channels',
    'hidden',
    'dropout',
    'weights',
    'weightsKey',
    'weightsPrefix',
    'seed',
  ])
  const { seed = 0 } = options
  if (options.classes !== undefined) requireClasses(options.classes)
  requireSeed(seed)
  const loaded = await readWeights(engine.host, options)
  const tensors = loaded?.tensors ?? {}
  const known = options.variant ?? variantOf(loaded?.metadata.architecture)
  const variant = known ?? variantByShapes(tensors) ?? 'torchvision'
  const spec = specs[variant]
  if (!spec)
    throw new UsageError(`there is no variant '${variant}'; there are ${variants.join(', ')}`)
  const architecture: Architecture = {
    variant,
    channels: options.channels ?? channelsOf(tensors, spec.channels),
    hidden: options.hidden ?? widthOf(tensors['classifier.1.weight'], 2) ?? spec.hidden,
    dropout: options.dropout ?? spec.dropout,
    classes:
      options.classes ??
      widthOf(tensors['classifier.6.bias'], 1) ??
      widthOf(tensors['classifier.6.weight'], 2) ??
      spec.classes,
  }
  checkArchitecture(spec, architecture)
  const model = new Network(
    engine,
    architecture,
    spec.preprocess,
    buildLayers(engine, spec, architecture, seed),
    seed,
  )
  if (loaded)
    try {
      const asked = options.classes !== undefined || options.hidden !== undefined
      const where = typeof options.weights === 'string' ? options.weights : 'the weights'
      fillNetwork(model, loaded, { headMustFit: asked, where })
      model.classNames = model.missing.includes('classifier.6.weight')
        ? null
        : classNamesIn(loaded.metadata, architecture.classes)
    } catch (error) {
      model.dispose()
      const { weights } = options
      throw typeof weights === 'string' ? labeled(weights, error) : error
    }
  return model
}

function checkArchitecture(spec: VariantSpec, { channels, hidden, dropout }: Architecture): void {
  const whole = (n: number) => Number.isSafeInteger(n) && n > 0
  if (channels.length !== 5 || !channels.every(whole))
    throw new UsageError(`channels are five positive integers, not [${channels.join(', ')}]`)
  for (const [i, [, , , groups]] of spec.convolutions.entries())
    if (at(channels, i) % groups !== 0 || (i > 0 && at(channels, i - 1) % groups !== 0))
      throw new UsageError(
        `convolution ${i + 1} has ${groups} groups, and its channels are not divisible by that: ` +
          `[${channels.join(', ')}]`,
      )
  if (!whole(hidden)) throw new UsageError(`hidden is a positive integer, not ${hidden}`)
  if (!(dropout >= 0 && dropout < 1))
    throw new UsageError(`dropout is at least 0 and less than 1, not ${dropout}`)
}

/** Local response normalization as in Caffe's AlexNet. */
const caffeNorm = { size: 5, alpha: 1e-4, beta: 0.75, k: 1 }

function buildLayers(
  engine: Engine,
  spec: VariantSpec,
  { channels, hidden, dropout, classes }: Architecture,
  seed: number,
): Module[] {
  const layers: Module[] = []
  let shape: Shape = [3, spec.preprocess.size, spec.preprocess.size]
  const add = (layer: Module) => {
    shape = layer.outShape(shape)
    layers.push(layer)
  }
  const init = (weight: LayerInit['weight']): LayerInit => ({ weight, seed, stream: layers.length })
  let number = 0
  for (const [i, [kernel, stride, padding, groups]] of spec.convolutions.entries()) {
    const [inChannels, outChannels] = [at(shape, 0), at(channels, i)]
    const options = { inChannels, outChannels, kernel, stride, padding, groups }
    add(new Conv2d(engine, `features.${number}`, options, init('kaiming-normal')))
    add(new ReLU(`features.${number + 1}`))
    const pooled = i < 2 || i === 4
    if (spec.norm && i < 2) add(new LocalResponseNorm(`features.${number + 1}.lrn`, caffeNorm))
    if (pooled) add(new MaxPool2d(`features.${number + 2}`, { kernel: 3, stride: 2 }))
    number += pooled ? 3 : 2
  }
  if (spec.pool) add(new AdaptiveAvgPool2d('avgpool', spec.pool))
  add(new Flatten('flatten'))
  for (const first of [0, 3]) {
    if (spec.dropoutBefore) add(new Dropout(`classifier.${first}`, dropout))
    add(new Linear(engine, `classifier.${first + 1}`, at(shape, 0), hidden, init('kaiming-normal')))
    add(new ReLU(`classifier.${first + 2}`))
    if (!spec.dropoutBefore) add(new Dropout(`classifier.${first + 2}.dropout`, dropout))
  }
  add(
    new Linear(engine, 'classifier.6', at(shape, 0), classes, init({ kind: 'normal', std: 0.01 })),
  )
  return layers
}

function variantOf(architecture: string | undefined): Variant | undefined {
  return variants.find((variant) => variant === architecture)
}
