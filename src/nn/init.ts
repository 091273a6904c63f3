import { UsageError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { type Shape, sizeOf } from '../tensor/ndbuffer.ts'

/** Initializers by name, with their usual parameters. */
export const initNames = [
  'xavier-uniform',
  'xavier-normal',
  'kaiming-uniform',
  'kaiming-normal',
  'uniform',
  'normal',
  'constant',
] as const
/** One of `initNames`. */
export type InitName = (typeof initNames)[number]

/**
 * The distribution of a weight's initial values.
 * - `xavier-*` (Glorot & Bengio 2010): variance 2 / (fan in + fan out)
 * - `kaiming-*` (He et al. 2015, arXiv:1502.01852), for ReLU: variance 2 / fan in
 * - `uniform`: between −bound and bound, 0.05 by default; `normal`: std 0.01 by default, AlexNet's
 * own; `constant`: 0 by default
 */
export type Init =
  | InitName
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'normal'; readonly std: number }
  | { readonly kind: 'constant'; readonly value: number }

/**
 * Checks an initializer whose values are only made later.
 * @throws UsageError for one that does not exist, or whose number is not a finite one
 */
export function requireInit(init: Init): void {
  const { kind, ...numbers } = typeof init === 'string' ? { kind: init } : init
  if (!initNames.includes(kind))
    throw new UsageError(`there is no initializer '${kind}'; there are ${initNames.join(', ')}`)
  for (const [name, value] of Object.entries(numbers))
    if (!Number.isFinite(value))
      throw new UsageError(`${name} of the initializer ${kind} is a number, not ${value}`)
}

/**
 * Initial values for a weight of the given shape ([out, in] or [O, C / groups, KH, KW]), drawn from
 * `random`.
 * @throws UsageError for an initializer that does not exist, or whose number is not a finite one
 * @example initialize('xavier-uniform', [6, 864], new Random(1))
 */
export function initialize(init: Init, shape: Shape, random: Random): Float32Array {
  requireInit(init)
  // A shape of fewer dimensions counts as one with ones.
  const [outputs = 1, inputs = 1, ...window] = shape
  const [fanIn, fanOut] = [inputs * sizeOf(window), outputs * sizeOf(window)]
  const values = new Float32Array(sizeOf(shape))
  const spec = typeof init === 'string' ? { kind: init } : init
  const uniform = (bound: number) => random.fillUniform(values, -bound, bound)
  const normal = (std: number) => random.fillNormal(values, 0, std)
  // A uniform distribution on ±b has the variance b² / 3.
  if (spec.kind === 'xavier-uniform') uniform(Math.sqrt(6 / (fanIn + fanOut)))
  else if (spec.kind === 'xavier-normal') normal(Math.sqrt(2 / (fanIn + fanOut)))
  else if (spec.kind === 'kaiming-uniform') uniform(Math.sqrt(6 / fanIn))
  else if (spec.kind === 'kaiming-normal') normal(Math.sqrt(2 / fanIn))
  else if (spec.kind === 'uniform') uniform('bound' in spec ? spec.bound : 0.05)
  else if (spec.kind === 'normal') normal('std' in spec ? spec.std : 0.01)
  else values.fill('value' in spec ? spec.value : 0)
  return values
}
