import type { Random } from '../../src/base/random.ts'
import { Parameter } from '../../src/nn/parameter.ts'
import { Adam } from '../../src/optim/adam.ts'
import { AdamW } from '../../src/optim/adamw.ts'
import type { Optimizer } from '../../src/optim/optimizer.ts'
import { SGD } from '../../src/optim/sgd.ts'
import {
  type AdamOptions,
  adam,
  adamw,
  type SgdOptions,
  sgd,
} from '../../src/reference/optimizers.ts'
import { testEngine } from '../support/engine.ts'

export const engine = await testEngine()

export type Kind = 'sgd' | 'adam' | 'adamw'
export type Options = SgdOptions & AdamOptions

export const reference = { sgd, adam, adamw } as const

export function make(
  kind: Kind,
  parameters: readonly Parameter[],
  options: Partial<Options> & { readonly lr: number },
): Optimizer {
  if (kind === 'adam') return new Adam(parameters, options)
  if (kind === 'adamw') return new AdamW(parameters, options)
  return new SGD(parameters, options)
}

/** Values with a spread of magnitudes, zeros among them. */
export function values(random: Random, n: number): Float32Array {
  return Float32Array.from({ length: n }, () =>
    random.below(8) === 0 ? 0 : random.normal() * 10 ** (random.below(4) - 2),
  )
}

export function parameter(
  name: string,
  data: Float32Array,
  shape: readonly number[] = [data.length],
): Parameter {
  return new Parameter(name, engine.tensor(data, shape))
}

export function setGrad({ tensor }: Parameter, data: Float32Array): void {
  tensor.grad?.dispose()
  tensor.grad = engine.tensor(data, tensor.shape)
}

export const bits = (data: Float32Array | undefined) => [
  ...new Uint32Array(data?.buffer ?? new ArrayBuffer(0), data?.byteOffset, data?.length),
]
