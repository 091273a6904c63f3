import type { Gpu } from '../gpu/gpu.ts'
import type { Cost } from '../gpu/kernels/kernel.ts'
import type { NdBuffer, Shape } from '../tensor/ndbuffer.ts'

/** An operator's inputs by name; an optional one that was left out is null. */
export type Inputs<In extends string> = Readonly<Record<In, NdBuffer | null>>
export type InputShapes<In extends string> = Readonly<Record<In, Shape | null>>
/** Which inputs a gradient is wanted for. */
export type Needs<In extends string> = Readonly<Record<In, boolean>>
/** Where backward writes each gradient; null where none is wanted. */
export type Grads<In extends string> = Readonly<Record<In, NdBuffer | null>>

/** What forward keeps for backward. */
export type Kept = readonly (NdBuffer | null)[]

/**
 * An operator: everything about it in one value. Kernels assign their results; only autograd
 * accumulates. Temporary memory is taken with `scratch`, which is given back once the operator is
 * encoded.
 */
export interface Op<In extends string, Attrs> {
  readonly name: string
  /** The inputs' names, in order. */
  readonly inputs: readonly In[]
  /**
   * The input whose gradient forward computes along with y where it is wanted, for a dy of 1: the
   * first of what it keeps. Backward finds it where it is to write the gradient, multiplies it by
   * dy, and is left out where dy is 1.
   */
  readonly differentiates?: In
  /** The result's shape. @throws ShapeError for shapes or attributes the operator cannot take */
  outShape(shapes: InputShapes<In>, attrs: Attrs): Shape
  cost(shapes: InputShapes<In>, attrs: Attrs): Cost
  /**
   * Computes y. Returns what backward will read for the gradients in `needs`: inputs, y, or memory
   * taken with `scratch`; null in the place of what it will not.
   */
  forward(gpu: Gpu, inputs: Inputs<In>, y: NdBuffer, attrs: Attrs, needs: Needs<In>): Kept
  /** Writes each wanted gradient: d(root)/d(input) from dy = d(root)/dy and what forward kept. */
  backward(
    gpu: Gpu,
    kept: Kept,
    dy: NdBuffer,
    grads: Grads<In>,
    attrs: Attrs,
    shapes: InputShapes<In>,
  ): void
}

/** An operator that only names its input's memory anew. */
export interface ViewOp<Attrs> {
  readonly name: string
  readonly view: true
  outShape(shape: Shape, attrs: Attrs): Shape
}

/** Declares an operator; the types make a missing rule an error. */
export function defineOp<In extends string, Attrs>(op: Op<In, Attrs>): Op<In, Attrs> {
  return op
}

/** The one of the kept buffers at `index`. */
export function keptAt(kept: Kept, index: number): NdBuffer {
  const buffer = kept[index]
  if (!buffer) throw new Error(`forward kept no buffer ${index}`)
  return buffer
}

/** An input that may not be left out. */
export function required(name: string, input: NdBuffer | null): NdBuffer {
  if (!input) throw new Error(`the input ${name} is missing`)
  return input
}
