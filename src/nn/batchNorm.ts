import { batchNorm } from '../autograd/functions.ts'
import { sizeOf } from '../tensor/ndbuffer.ts'
import type { Engine, Tensor } from '../tensor/tensor.ts'
import { ModuleBuffer } from './buffer.ts'
import { ReLU, SameShape } from './layers.ts'
import type { LayerContext, Module } from './module.ts'
import { Parameter } from './parameter.ts'

/** Options of a batch normalization. */
export interface BatchNormShape {
  readonly channels: number
  /** The share of a batch's statistics in the running ones. Default 0.1. */
  readonly momentum?: number
  /** What is added to a variance. Default 1e-5. */
  readonly epsilon?: number
}

/**
 * Batch normalization: (x − mean) / √(variance + epsilon) · weight + bias for every channel of x,
 * f32[N, C, H, W] or [N, C]. While it trains, mean and variance are the batch's own, and the
 * running ones move towards them; in evaluation they are the running ones.
 *
 * A frozen one, whose weight and bias do not train, always runs as in evaluation, also while the
 * rest of the network trains: what is frozen stays as it was, statistics included. Its names are
 * PyTorch's: `weight`, `bias`, `running_mean`, `running_var`, `num_batches_tracked`.
 * Source: Ioffe and Szegedy, "Batch Normalization", 2015, arXiv:1502.03167.
 * @example new BatchNorm2d(engine, 'bn1', { channels: 64 })
 */
export class BatchNorm2d extends SameShape {
  readonly weight: Parameter
  readonly bias: Parameter
  readonly runningMean: ModuleBuffer
  readonly runningVariance: ModuleBuffer
  /** How many batches it has been trained on. */
  readonly batches: ModuleBuffer
  readonly options: { readonly momentum: number; readonly epsilon: number }

  constructor(engine: Engine, name: string, shape: BatchNormShape) {
    super(name)
    const { channels, momentum = 0.1, epsilon = 1e-5 } = shape
    const filled = (kind: string, value: number, shape: readonly number[] = [channels]) => {
      const values = new Float32Array(shape.length === 0 ? 1 : channels).fill(value)
      const make = () => engine.gpu.actual(() => engine.tensor(values, shape))
      return [`${name}.${kind}`, { shape, make }] as const
    }
    this.weight = new Parameter(...filled('weight', 1))
    this.bias = new Parameter(...filled('bias', 0))
    this.runningMean = new ModuleBuffer(...filled('running_mean', 0))
    this.runningVariance = new ModuleBuffer(...filled('running_var', 1))
    this.batches = new ModuleBuffer(...filled('num_batches_tracked', 0, []))
    this.options = { momentum, epsilon }
  }

  get description(): string {
    return `batch norm of ${this.weight.shape[0]} channels`
  }

  override parameters(): readonly Parameter[] {
    return [this.weight, this.bias]
  }

  override buffers(): readonly ModuleBuffer[] {
    return [this.runningMean, this.runningVariance, this.batches]
  }

  /** Gives weight, bias and statistics their first values again. */
  reset(engine: Engine): void {
    for (const one of this.state()) {
      const isOne = one === this.weight || one === this.runningVariance
      one.assign(engine, new Float32Array(sizeOf(one.shape)).fill(isOne ? 1 : 0))
    }
  }

  override canApply(next: Module): boolean {
    const own = this.forward === BatchNorm2d.prototype.forward
    return own && next.forward === ReLU.prototype.forward
  }

  forward(x: Tensor, context: Partial<LayerContext> = {}): Tensor {
    const { training = false, trial = false, relu = false } = context
    const frozen = !this.weight.trainable && !this.bias.trainable
    const { momentum, epsilon } = this.options
    return batchNorm(
      x,
      {
        weight: this.weight.tensor,
        bias: this.bias.tensor,
        mean: this.runningMean.tensor,
        variance: this.runningVariance.tensor,
        ...(trial ? {} : { batches: this.batches.tensor }),
      },
      { training: training && !frozen, momentum: trial ? 0 : momentum, epsilon, relu },
    )
  }
}
