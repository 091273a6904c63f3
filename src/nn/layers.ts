import { noteActivation } from '../autograd/apply.ts'
import {
  adaptiveAvgPool2d,
  conv2d,
  dropout,
  flatten,
  type LocalResponseNormOptions,
  linear,
  localResponseNorm,
  maxPool2d,
  relu,
  softmax,
} from '../autograd/functions.ts'
import { at } from '../base/at.ts'
import { Random } from '../base/random.ts'
import { relu as reluOp } from '../ops/relu.ts'
import { pooledExtent } from '../ops/window.ts'
import { type Shape, type Shape3, shape3, shape4, sizeOf } from '../tensor/ndbuffer.ts'
import type { Engine, Tensor } from '../tensor/tensor.ts'
import { type Init, initialize } from './init.ts'
import { type LayerContext, Module } from './module.ts'
import { Parameter } from './parameter.ts'

/** How a layer's parameters get their first values. */
export interface LayerInit {
  readonly weight: Init
  readonly seed: number
  /** Tells the random streams of a network's layers apart. */
  readonly stream: number
}

/**
 * One image's shape, [channels, height, width], as a layer of images takes it.
 * @internal
 */
export function imageShape({ name }: Module, shape: Shape): Shape3 {
  return shape3(shape, `${name}: its input is [channels, height, width]`)
}

/** A layer with a weight and a bias, which also applies the ReLU that follows it. */
abstract class WeightedLayer extends Module {
  readonly weight: Parameter
  /** Null in a layer without one, which a batch normalization follows. */
  readonly bias: Parameter | null

  /**
   * Values are computed when they are first read: a layer cut off before that costs nothing.
   * @param shape the weight's; its first extent is the bias's
   * @param biased whether it has a bias
   */
  constructor(engine: Engine, name: string, shape: Shape, init: LayerInit, biased = true) {
    super(name)
    const width = at(shape, 0)
    const weight = () =>
      engine.tensor(initialize(init.weight, shape, new Random(init.seed, init.stream)), shape)
    const bias = () => engine.tensor(new Float32Array(width), [width])
    const deferred = (kind: string, shape: Shape, make: () => Tensor) =>
      Parameter.deferred(`${name}.${kind}`, shape, () => engine.gpu.actual(make))
    this.weight = deferred('weight', shape, weight)
    this.bias = biased ? deferred('bias', [width], bias) : null
  }

  override parameters(): readonly Parameter[] {
    return [this.weight, ...(this.bias ? [this.bias] : [])]
  }

  /** Not where a subclass has a forward of its own, on either side: it may compute anything. */
  override canApply(next: Module): boolean {
    const { forward } = this
    const own = forward === Conv2d.prototype.forward || forward === Linear.prototype.forward
    return own && next.forward === ReLU.prototype.forward
  }
}

/**
 * A layer whose result has its input's shape.
 * @internal
 */
export abstract class SameShape extends Module {
  outShape(shape: Shape): Shape {
    return shape
  }
}

/** Channels, and sizes in pixels. */
export interface Conv2dShape {
  readonly inChannels: number
  readonly outChannels: number
  readonly kernel: number
  readonly stride?: number
  readonly padding?: number
  readonly groups?: number
  /** Whether it has a bias. Default true. */
  readonly bias?: boolean
}

/**
 * A convolution: x f32[N, in, H, W] to f32[N, out, H', W'] with H' = ⌊(H + 2 padding − kernel) /
 * stride⌋ + 1, and W' likewise. Its weight is [out, in / groups, kernel, kernel], its bias [out],
 * as PyTorch's Conv2d has them.
 * @example
 * const shape = { inChannels: 3, outChannels: 64, kernel: 11, stride: 4, padding: 2 }
 * const init = { weight: 'kaiming-normal', seed: 1, stream: 0 } as const
 * const conv1 = new Conv2d(engine, 'features.0', shape, init)
 */
export class Conv2d extends WeightedLayer {
  readonly options: { readonly stride: number; readonly padding: number; readonly groups: number }

  constructor(engine: Engine, name: string, shape: Conv2dShape, init: LayerInit) {
    const { inChannels, outChannels, kernel, stride = 1, padding = 0, groups = 1, bias } = shape
    super(engine, name, [outChannels, inChannels / groups, kernel, kernel], init, bias)
    this.options = { stride, padding, groups }
  }

  get description(): string {
    const { out, depth, kernel } = this.#filters
    const { stride, groups } = this.options
    const stepped = stride > 1 ? ` stride ${stride}` : ''
    const grouped = groups > 1 ? ` in ${groups} groups` : ''
    return `conv ${kernel}x${kernel}${stepped}, ${depth * groups} to ${out}${grouped}`
  }

  get #filters() {
    const [out, depth, kernel] = shape4(this.weight.shape, `${this.weight.name} is [O, C, K, K]`)
    return { out, depth, kernel }
  }

  outShape(shape: Shape): Shape {
    const [, height, width] = imageShape(this, shape)
    const { out, kernel } = this.#filters
    const { stride, padding } = this.options
    const extent = (n: number) => Math.floor((n + 2 * padding - kernel) / stride) + 1
    return [out, extent(height), extent(width)]
  }

  forward(x: Tensor, { relu = false }: Partial<LayerContext> = {}): Tensor {
    return conv2d(x, this.weight.tensor, this.bias?.tensor ?? null, { ...this.options, relu })
  }
}

/**
 * A dense layer: y = x Wᵀ + b, f32[N, in] to f32[N, out]. Its weight is [out, in], its bias [out].
 * @example
 * const init = { weight: 'xavier-uniform', seed: 1, stream: 6 } as const
 * const head = new Linear(engine, 'classifier.6', 4096, 10, init)
 */
export class Linear extends WeightedLayer {
  constructor(engine: Engine, name: string, inputs: number, outputs: number, init: LayerInit) {
    super(engine, name, [outputs, inputs], init)
  }

  get description(): string {
    return `FC ${at(this.weight.shape, 1)} to ${at(this.weight.shape, 0)}`
  }

  outShape(): Shape {
    return [at(this.weight.shape, 0)]
  }

  forward(x: Tensor, { relu = false }: Partial<LayerContext> = {}): Tensor {
    return linear(x, this.weight.tensor, this.bias?.tensor ?? null, { relu })
  }
}

/**
 * max(x, 0), of any shape.
 * @example new ReLU('features.1')
 */
export class ReLU extends SameShape {
  readonly description = 'ReLU'

  override noteApplied(y: Tensor): void {
    noteActivation(reluOp, y, 'max(x, 0)')
  }

  forward(x: Tensor): Tensor {
    return relu(x)
  }
}

/** A square window, in pixels. */
export interface MaxPool2dShape {
  readonly kernel: number
  readonly stride: number
  readonly padding?: number
  /** Whether a last window may reach past the edge. Default false. */
  readonly ceilMode?: boolean
}

/**
 * The largest element of each square window: f32[N, C, H, W] to f32[N, C, H', W']. That element
 * alone gets the gradient.
 * @example new MaxPool2d('features.2', { kernel: 3, stride: 2 })
 */
export class MaxPool2d extends Module {
  readonly options: Required<MaxPool2dShape>

  constructor(name: string, { kernel, stride, padding = 0, ceilMode = false }: MaxPool2dShape) {
    super(name)
    this.options = { kernel, stride, padding, ceilMode }
  }

  get description(): string {
    const { kernel, stride } = this.options
    return `max-pool ${kernel}x${kernel} stride ${stride}`
  }

  outShape(shape: Shape): Shape {
    const [channels, height, width] = imageShape(this, shape)
    return [channels, pooledExtent(height, this.options), pooledExtent(width, this.options)]
  }

  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.options)
  }
}

/**
 * Means over size[0] · size[1] windows: f32[N, C, H, W] to f32[N, C, size[0], size[1]], whatever H
 * and W are.
 * @example new AdaptiveAvgPool2d('avgpool', [6, 6])
 */
export class AdaptiveAvgPool2d extends Module {
  readonly size: readonly [number, number]

  constructor(name: string, size: readonly [number, number]) {
    super(name)
    this.size = size
  }

  get description(): string {
    return `adaptive average pool to ${this.size.join('x')}`
  }

  outShape(shape: Shape): Shape {
    const [channels] = imageShape(this, shape)
    return [channels, ...this.size]
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.size)
  }
}

/**
 * x over (k + alpha / size · Σ x²)^beta, the sum over `size` neighboring channels; of any shape [N,
 * C, …]. Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional
 * Neural Networks", 2012, section 3.3.
 * @example new LocalResponseNorm('norm1', { size: 5, alpha: 1e-4, beta: 0.75, k: 1 })
 */
export class LocalResponseNorm extends SameShape {
  readonly options: Required<LocalResponseNormOptions>

  constructor(name: string, options: Required<LocalResponseNormOptions>) {
    super(name)
    this.options = options
  }

  get description(): string {
    return `LRN over ${this.options.size} channels`
  }

  forward(x: Tensor): Tensor {
    return localResponseNorm(x, this.options)
  }
}

/**
 * In training, each value becomes 0 with probability p and is divided by 1 − p otherwise; outside
 * training nothing changes. Of any shape.
 * @example new Dropout('classifier.0', 0.5)
 */
export class Dropout extends SameShape {
  readonly p: number

  constructor(name: string, p: number) {
    super(name)
    this.p = p
  }

  get description(): string {
    return `dropout ${this.p}`
  }

  forward(x: Tensor, { training, seed }: LayerContext): Tensor {
    return training && this.p > 0 ? dropout(x, this.p, { training, seed }) : x
  }
}

/**
 * f32[N, …] as f32[N, product of the others], over the same memory.
 * @example new Flatten('flatten')
 */
export class Flatten extends Module {
  readonly description = 'flatten'

  outShape(shape: Shape): Shape {
    return [sizeOf(shape)]
  }

  forward(x: Tensor): Tensor {
    return flatten(x)
  }
}

/**
 * Probabilities, f32[N, classes]. An imported network may end in it; training and evaluation stop
 * before it.
 * @example new Softmax('probabilities')
 */
export class Softmax extends SameShape {
  readonly description = 'softmax'

  forward(x: Tensor): Tensor {
    return softmax(x)
  }
}
