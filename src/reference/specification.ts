import { apply } from '../autograd/apply.ts'
import type { Random } from '../base/random.ts'
import type { AnyOp, Buffers } from '../ops/op.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Tolerance } from './agreement.ts'
import type { ExplainedCall, Explanation } from './explanation.ts'
import type { NdArray } from './ndarray.ts'

/** An operator's inputs by name, in float64: those it must have, and those that may be null. */
export type Arrays<Needed extends string, Optional extends string = never> = Readonly<
  Record<Needed, NdArray> & Record<Optional, NdArray | null>
>
type AnyInputs = Readonly<Record<string, NdArray | null>>

/** For every input that is given something else in its place: its shape, its tensor. */
type Each<In extends AnyInputs, T> = {
  readonly [name in keyof In]: T | (null extends In[name] ? null : never)
}
export type Shapes<In extends AnyInputs> = Each<In, readonly number[]>
export type Tensors<In extends AnyInputs> = Each<In, Tensor>

/** One call to check: shapes, attributes, and what its inputs hold. */
export interface Case<In extends AnyInputs, Attrs> {
  readonly shapes: Shapes<In>
  readonly attrs: Attrs
  /** What inputs hold. Default: standard normal numbers, drawn by a seed. */
  readonly values?: { readonly [name in keyof In]?: ArrayLike<number> }
  /** Multiplies the numbers that are drawn. Default 1. */
  readonly scale?: number
  /** Also checks gradients by finite differences: for small cases, away from kinks. */
  readonly differences?: boolean
}

/**
 * Everything that judges one operator. `graft check`, the tests, the inspector's explanations and
 * its kernel laboratory all read it.
 */
export interface Specification<In extends AnyInputs, Attrs extends object> {
  readonly op: AnyOp
  /** How it is called where its attributes are not the case's. Default: `apply`. */
  call?(tensors: Tensors<In>, attrs: Attrs): Tensor
  /** The kernels that the operator has: fast ones alone, or plain ones beside them. */
  readonly kernels: readonly ('fast' | 'plain')[]
  /** Folders of shaders/ that this operator checks, besides the one of its own name. */
  readonly checks?: readonly string[]
  /** The float64 reference. */
  forward(inputs: In, attrs: Attrs): NdArray
  /** The gradient of every input, from dy. */
  backward(inputs: In, dy: NdArray, attrs: Attrs): { readonly [name in keyof In]: NdArray }
  /** What inputs hold after the call, of those that it changes in place. Default: none. */
  updates?(inputs: In, attrs: Attrs): Partial<{ readonly [name in keyof In]: NdArray }>
  /** How far float32 may be off, and why. */
  readonly tolerance: {
    readonly reason: string
    of(shapes: Shapes<In>, attrs: Attrs): Tolerance
  }
  /** What the operator meets at its limits, by a name for people. */
  readonly edges: Readonly<Record<string, Case<In, Attrs>>>
  /** Any small case. */
  draw(random: Random): Case<In, Attrs>
  /** A case that is large enough for its time to be measured. */
  readonly large: Case<In, Attrs>
  /** What one element of y is made of. */
  explain(call: ExplainedCall<Attrs>, at: readonly number[]): Explanation
  /** What one element of the weight's gradient is made of, for operators with a weight. */
  explainWeightGradient?(call: ExplainedCall<Attrs>, at: readonly number[]): Explanation
}

/** A specification of any operator, and a case of it. */
export type AnySpecification = Specification<AnyInputs, object>
export type AnyCase = Case<AnyInputs, object>

/** Runs a specification's operator on tensors. */
export function callOn(
  { op, call }: AnySpecification,
  tensors: Readonly<Record<string, Tensor | null>>,
  attrs: object,
): Tensor {
  if (call) return call(tensors, attrs)
  return apply<never, unknown, Readonly<Record<string, Buffers>>, string>(op, tensors, attrs)
}
