import { at } from '../base/at.ts'
import { type ClassCount, requireClasses } from '../base/classCount.ts'
import { UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { requireSeed } from '../base/random.ts'
import { requireFinite, type StateDict } from '../base/stateDict.ts'
import { type EngineArgument, requireEngine } from '../tensor/engineArgument.ts'
import type { Engine } from '../tensor/tensor.ts'
import { labeled } from '../weights/arrays.ts'
import { imageNetNormalization } from './alexnet.ts'
import { BatchNorm2d } from './batchNorm.ts'
import { Residual } from './blocks.ts'
import {
  AdaptiveAvgPool2d,
  Conv2d,
  type Conv2dShape,
  Flatten,
  type LayerInit,
  Linear,
  MaxPool2d,
  ReLU,
} from './layers.ts'
import type { Module } from './module.ts'
import { Network } from './network.ts'

/** The variants of `resnet`. */
export const resnetVariants = ['resnet18', 'resnet34', 'resnet50'] as const
/** One of `resnetVariants`. */
export type ResNetVariant = (typeof resnetVariants)[number]

/** Blocks of each of the four stages, and whether they are bottlenecks. */
interface ResNetSpec {
  readonly blocks: readonly number[]
  readonly bottleneck: boolean
}

const specs: Readonly<Record<ResNetVariant, ResNetSpec>> = {
  resnet18: { blocks: [2, 2, 2, 2], bottleneck: false },
  resnet34: { blocks: [3, 4, 6, 3], bottleneck: false },
  resnet50: { blocks: [3, 4, 6, 3], bottleneck: true },
}

/** How much wider than its 3 x 3 convolution a bottleneck ends. */
const expansion = 4

/** Options of `resnet`. */
export interface ResNetOptions {
  readonly variant: ResNetVariant
  /** Number of outputs. Default: that of the weights, else 1000. */
  readonly classes?: number
  /** Widths of the four stages. Default: 64, 128, 256, 512. */
  readonly channels?: readonly number[]
  /** Height and width of its input, in pixels. Default 224. */
  readonly size?: number
  /**
   * The path of a file, a run folder's among them, or arrays, by torchvision's names. Without it
   * all parameters are random.
   */
  readonly weights?: string | StateDict
  /** Seed of initial values. Default 0. */
  readonly seed?: number
}

/**
 * Makes a ResNet as torchvision has it, with its names (`layer1.0.conv1.weight`): a list of blocks,
 * each of which is a module, so that the network can be cut after any of them. The stride of a
 * bottleneck is in its 3 x 3 convolution. Source: He et al., "Deep Residual Learning for Image
 * Recognition", 2015, arXiv:1512.03385.
 * @throws WeightsError for weights that do not fit, NonFiniteError for NaN and infinity in them
 * @throws UsageError for options that do not exist or do not fit
 * @example const model = await resnet(engine, { variant: 'resnet18', classes: 10 })
 */
export function resnet<E, N extends number>(
  engine: E & EngineArgument<E>,
  options: ResNetOptions & { readonly classes?: N & ClassCount<N> },
): Promise<Network>
export async function resnet(engine: Engine, options: ResNetOptions): Promise<Network> {
  requireEngine('resnet', engine)
  checkOptions('resnet', options, ['variant', 'classes', 'channels', 'size', 'weights', 'seed'])
  const { variant, seed = 0, size = 224, channels = [64, 128, 256, 512] } = options
  const spec = specs[variant]
  if (!spec)
    throw new UsageError(`there is no variant '${variant}'; there are ${resnetVariants.join(', ')}`)
  if (options.classes !== undefined) requireClasses(options.classes)
  requireSeed(seed)
  const whole = (n: number) => Number.isSafeInteger(n) && n > 0
  if (channels.length !== 4 || !channels.every(whole))
    throw new UsageError(`channels are four positive integers, not [${channels.join(', ')}]`)
  if (!whole(size)) throw new UsageError(`size is a positive integer, not ${size}`)
  const place = typeof options.weights === 'string' ? options.weights : 'the weights'
  const weights =
    typeof options.weights === 'string'
      ? (await engine.host.loadWeights(options.weights)).tensors
      : options.weights
  const classes = options.classes ?? weights?.['fc.bias']?.shape[0] ?? 1000
  const model = new Network(
    engine,
    { variant, channels, hidden: 0, dropout: 0, classes },
    { size, resize: Math.round((size * 256) / 224), ...imageNetNormalization },
    layersOf(engine, spec, channels, classes, seed),
    seed,
  )
  if (weights)
    try {
      requireFinite(weights, place)
      model.loadStateDict(weights)
      model.pretrained = true
    } catch (error) {
      model.dispose()
      throw labeled(place, error)
    }
  return model
}

function layersOf(
  engine: Engine,
  { blocks, bottleneck }: ResNetSpec,
  channels: readonly number[],
  classes: number,
  seed: number,
): Module[] {
  let stream = 0
  const init = (weight: LayerInit['weight'] = 'kaiming-normal'): LayerInit => ({
    weight,
    seed,
    stream: stream++,
  })
  /** A convolution without a bias, and the batch normalization that adds one. */
  const normalized = (conv: string, norm: string, shape: Conv2dShape): [Conv2d, BatchNorm2d] => [
    new Conv2d(engine, conv, { ...shape, bias: false }, init()),
    new BatchNorm2d(engine, norm, { channels: shape.outChannels }),
  ]
  const block = (name: string, inChannels: number, width: number, stride: number): Residual => {
    const outChannels = bottleneck ? expansion * width : width
    const [first, inside, last] = [`${name}.conv1`, `${name}.conv2`, `${name}.conv3`]
    const norm = (i: number) => `${name}.bn${i}`
    const relu = () => new ReLU(`${name}.relu`)
    const three = { kernel: 3, padding: 1 }
    const main = bottleneck
      ? [
          ...normalized(first, norm(1), { inChannels, outChannels: width, kernel: 1 }),
          relu(),
          ...normalized(inside, norm(2), {
            inChannels: width,
            outChannels: width,
            stride,
            ...three,
          }),
          relu(),
          ...normalized(last, norm(3), { inChannels: width, outChannels, kernel: 1 }),
        ]
      : [
          ...normalized(first, norm(1), { inChannels, outChannels: width, stride, ...three }),
          relu(),
          ...normalized(inside, norm(2), { inChannels: width, outChannels, ...three }),
        ]
    const changed = stride !== 1 || inChannels !== outChannels
    const shape = { inChannels, outChannels, kernel: 1, stride }
    const skip = changed ? normalized(`${name}.downsample.0`, `${name}.downsample.1`, shape) : []
    return new Residual(name, { main, skip })
  }
  const stem = at(channels, 0)
  const layers: Module[] = [
    ...normalized('conv1', 'bn1', {
      inChannels: 3,
      outChannels: stem,
      kernel: 7,
      stride: 2,
      padding: 3,
    }),
    new ReLU('relu'),
    new MaxPool2d('maxpool', { kernel: 3, stride: 2, padding: 1 }),
  ]
  let inChannels = stem
  for (const [stage, count] of blocks.entries())
    for (let i = 0; i < count; i++) {
      const width = at(channels, stage)
      const stride = stage > 0 && i === 0 ? 2 : 1
      layers.push(block(`layer${stage + 1}.${i}`, inChannels, width, stride))
      inChannels = bottleneck ? expansion * width : width
    }
  layers.push(
    new AdaptiveAvgPool2d('avgpool', [1, 1]),
    new Flatten('flatten'),
    new Linear(engine, 'fc', inChannels, classes, init({ kind: 'normal', std: 0.01 })),
  )
  return layers
}
