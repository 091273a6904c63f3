import { avgPool2d, hardswish, relu6, sigmoid, silu } from '../autograd/functions.ts'
import { pooledExtent } from '../ops/window.ts'
import type { Shape } from '../tensor/ndbuffer.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { imageShape, type MaxPool2dShape, SameShape } from './layers.ts'
import { Module } from './module.ts'

/**
 * min(max(x, 0), 6), of any shape.
 * @example new ReLU6('features.0.2')
 */
export class ReLU6 extends SameShape {
  readonly description = 'ReLU6'

  forward(x: Tensor): Tensor {
    return relu6(x)
  }
}

/**
 * 1 / (1 + e^-x), of any shape.
 * @example new Sigmoid('gate')
 */
export class Sigmoid extends SameShape {
  readonly description = 'sigmoid'

  forward(x: Tensor): Tensor {
    return sigmoid(x)
  }
}

/**
 * x / (1 + e^-x), of any shape.
 * @example new SiLU('features.0.2')
 */
export class SiLU extends SameShape {
  readonly description = 'SiLU'

  forward(x: Tensor): Tensor {
    return silu(x)
  }
}

/**
 * x · min(max(x + 3, 0), 6) / 6, of any shape.
 * @example new Hardswish('features.0.2')
 */
export class Hardswish extends SameShape {
  readonly description = 'hard swish'

  forward(x: Tensor): Tensor {
    return hardswish(x)
  }
}

/** A square window, in pixels. */
export interface AvgPool2dShape extends MaxPool2dShape {
  /** Whether the zeros of the padding count as elements of a window. Default true. */
  readonly countIncludePad?: boolean
}

/**
 * The mean of each square window: f32[N, C, H, W] to f32[N, C, H', W'].
 * @example new AvgPool2d('transition1.pool', { kernel: 2, stride: 2 })
 */
export class AvgPool2d extends Module {
  readonly options: Required<AvgPool2dShape>

  constructor(name: string, shape: AvgPool2dShape) {
    super(name)
    const { kernel, stride, padding = 0, ceilMode = false, countIncludePad = true } = shape
    this.options = { kernel, stride, padding, ceilMode, countIncludePad }
  }

  get description(): string {
    const { kernel, stride } = this.options
    return `average-pool ${kernel}x${kernel} stride ${stride}`
  }

  outShape(shape: Shape): Shape {
    const [channels, height, width] = imageShape(this, shape)
    return [channels, pooledExtent(height, this.options), pooledExtent(width, this.options)]
  }

  forward(x: Tensor): Tensor {
    return avgPool2d(x, this.options)
  }
}
