import type { ClassCount } from '../base/classCount.ts'
import { UsageError } from '../base/errors.ts'
import type { StateDict } from '../base/stateDict.ts'
import { type EngineArgument, requireEngine } from '../tensor/engineArgument.ts'
import type { Engine } from '../tensor/tensor.ts'
import { alexnet, type Variant, variants } from './alexnet.ts'
import type { Network } from './network.ts'
import { type ResNetVariant, resnet, resnetVariants } from './resnet.ts'

/** Every network that Graft builds, by its variant's name. */
export const networkVariants = [...variants, ...resnetVariants] as const
/** One of `networkVariants`. */
export type NetworkVariant = Variant | ResNetVariant

/** Options of `network`; `alexnet` and `resnet` have some of their own. */
export interface NetworkOptions {
  readonly variant: NetworkVariant
  /** Number of outputs. Default: that of the weights, else the variant's. */
  readonly classes?: number
  /** Widths. Default: the variant's. */
  readonly channels?: readonly number[]
  /** The path of a file, arrays by name, or for an AlexNet a registered name. Default: random. */
  readonly weights?: string | StateDict
  /** Seed of initial values and dropout. Default 0. */
  readonly seed?: number
}

/**
 * Makes the network of a variant, an AlexNet or a ResNet, with weights or without.
 * @throws WeightsError for weights that do not fit, NonFiniteError for NaN and infinity in them
 * @throws UsageError for options that do not exist or do not fit
 * @example const model = await network(engine, { variant: 'resnet18', classes: 10 })
 */
export function network<E, N extends number>(
  engine: E & EngineArgument<E>,
  options: NetworkOptions & { readonly classes?: N & ClassCount<N> },
): Promise<Network>
export async function network(engine: Engine, options: NetworkOptions): Promise<Network> {
  requireEngine('network', engine)
  const { variant, ...rest } = options
  const own = resnetVariants.find((name) => name === variant)
  if (own) return resnet(engine, { ...rest, variant: own })
  const other = variants.find((name) => name === variant)
  if (other) return alexnet(engine, { ...rest, variant: other })
  throw new UsageError(`there is no variant '${variant}'; there are ${networkVariants.join(', ')}`)
}
