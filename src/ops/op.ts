import type { Gpu } from '../gpu/gpu.ts'
import type { Cost } from '../gpu/kernels/kernel.ts'
import type { NdBuffer, Shape } from '../tensor/ndbuffer.ts'

/** One value for each input: null only for an optional input that was left out. */
export type ByInput<In extends string, Optional extends string, T> = Readonly<
  Record<In, T> & Record<Optional, T | null>
>
/** An operator without attributes, or without anything kept. */
export type None = Readonly<Record<never, never>>
/** Buffers by name: what the gradient of one input is computed from, beside dy. */
export type Buffers = Readonly<Record<string, NdBuffer>>

/**
 * What forward returns: for each input in `Kept`, the buffers that its gradient is computed from;
 * null where that gradient is not wanted.
 */
export type KeptBuffers<Kept> = { readonly [In in keyof Kept]: Kept[In] | null }

/** How the gradient of one input is computed. */
interface Gradient<Kept, Attrs, Shapes> {
  /**
   * Writes the gradient. (A method, so that every operator is an `AnyOp`.)
   * @param dy d(root)/d(y)
   * @param gradient where d(root)/d(input) is written
   * @param kept what forward kept for this input
   */
  write(gpu: Gpu, dy: NdBuffer, gradient: NdBuffer, kept: Kept, attrs: Attrs, shapes: Shapes): void
}

/**
 * An operator: everything about it in one value. Kernels assign their results; only autograd
 * accumulates. Temporary memory is taken with `scratch`, and is given back once the operator is
 * encoded.
 *
 * `In` names the inputs that must be given, `Optional` those that may be left out. `Kept` maps an
 * input to the buffers that its gradient reads; an input whose gradient reads only dy is not in it.
 */
export interface Op<
  In extends string,
  Attrs,
  Kept extends Readonly<Record<string, Buffers>> = None,
  Optional extends string = never,
> {
  readonly name: string
  /** The inputs' names, in order. */
  readonly inputs: readonly (In | Optional)[]
  /** Those of them that may be null. Default: none. */
  readonly optional?: readonly Optional[]
  /** The result's shape. @throws ShapeError for shapes or attributes the operator cannot take */
  outShape(shapes: ByInput<In, Optional, Shape>, attrs: Attrs): Shape
  cost(shapes: ByInput<In, Optional, Shape>, attrs: Attrs): Cost
  /** Whether y is the first input itself: its memory is then shared, and nothing runs. */
  unchanged?(attrs: Attrs): boolean
  /** The activation that forward applies to its result before it stores it as y, if any. */
  activation?(attrs: Attrs): Activation | null
  /**
   * Computes y.
   * @param needs which gradients are wanted
   * @returns what backward will read: inputs, y, or memory taken with `scratch`. A gradient that
   * forward computes along with y, for a dy of 1, is kept under the name `gradient`: backward finds
   * it where it is to write the gradient, multiplies it by dy, and is not called where dy is 1
   */
  forward(
    gpu: Gpu,
    inputs: ByInput<In, Optional, NdBuffer>,
    y: NdBuffer,
    attrs: Attrs,
    needs: Readonly<Record<In | Optional, boolean>>,
  ): KeptBuffers<Kept>
  /**
   * Computes what the gradients of several inputs share, before the first of them, into memory that
   * forward has kept.
   */
  share?(
    gpu: Gpu,
    dy: NdBuffer,
    kept: KeptBuffers<Kept>,
    attrs: Attrs,
    shapes: ByInput<In, Optional, Shape>,
  ): void
  /** Inputs whose gradient is dy itself: a computed tensor's then shares its memory. */
  readonly unchangedGradients?: readonly (In | Optional)[]
  /**
   * How the gradient of each input is computed. Where there is an activation, dy has come back
   * through it.
   */
  readonly backward: {
    readonly [Name in In | Optional]: Gradient<
      Name extends keyof Kept ? Kept[Name] : None,
      Attrs,
      ByInput<In, Optional, Shape>
    >['write']
  }
}

/** An operator as the tape handles it: inputs and what is kept are looked up by name. */
export type AnyOp = Op<never, unknown, Readonly<Record<string, Buffers>>, string>

/** An operator on single elements, whose gradient is computed from y. */
export type Activation = Op<'x', None, { readonly x: { readonly y: NdBuffer } }>

/** Declares an operator: a part that is missing is a type error. */
export function defineOp<
  In extends string,
  Attrs,
  Kept extends Readonly<Record<string, Buffers>> = None,
  Optional extends string = never,
>(op: Op<In, Attrs, Kept, Optional>): Op<In, Attrs, Kept, Optional> {
  return op
}
