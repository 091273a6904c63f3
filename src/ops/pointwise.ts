/** What operators on single elements have in common: one kernel with two passes. */
import { stripKernel } from '../gpu/kernels/kernel.ts'
import { type NdBuffer, sizeOf, vectorsOf } from '../tensor/ndbuffer.ts'
import { defineOp, type Op } from './op.ts'

/** Numbers that are the kernel's params. */
type Numeric = Readonly<Record<string, number>>

interface Pointwise<Kept extends 'x' | 'y', Attrs extends Numeric> {
  readonly name: string
  /** The kernel: its file under shaders/, without `.wgsl`, built on lib/pointwise.wgsl. */
  readonly kernel: string
  /** Whether the gradient is computed from x or from y, so that x need not be kept. */
  readonly from: Kept
  /** Operations for one element. */
  readonly flops: number
  /** @throws ShapeError for attributes that the operator cannot take */
  readonly check?: (attrs: Attrs) => void
}

/**
 * Declares an operator on single elements, of any shape.
 * @example
 * const sigmoid = pointwise({ name: 'sigmoid', kernel: 'sigmoid/sigmoid', from: 'y', flops: 4 })
 */
export function pointwise<
  Kept extends 'x' | 'y',
  Attrs extends Numeric = Readonly<Record<never, never>>,
>({
  name,
  kernel: path,
  from,
  flops,
  check,
}: Pointwise<Kept, Attrs>): Op<'x', Attrs, { readonly x: Readonly<Record<Kept, NdBuffer>> }> {
  const kernel = stripKernel<'BACKWARD'>(path, {
    cost: ({ n }, { BACKWARD }) => ({ flops: 4 * flops * n, bytes: (32 + 16 * BACKWARD) * n }),
  })
  return defineOp<'x', Attrs, { readonly x: Readonly<Record<Kept, NdBuffer>> }>({
    name,
    inputs: ['x'],
    outShape({ x }, attrs) {
      check?.(attrs)
      return x
    },
    cost: ({ x }) => ({ flops: flops * sizeOf(x), bytes: 8 * sizeOf(x) }),
    forward(gpu, { x }, y, attrs) {
      const params = { n: vectorsOf(y.shape), ...attrs }
      gpu.run(kernel, { x: x.storage, y: y.storage }, params, { BACKWARD: 0 })
      return { x: { [from]: from === 'x' ? x : y } as Record<Kept, NdBuffer> }
    },
    backward: {
      x(gpu, dy, dx, { [from]: kept }, attrs) {
        const bindings = { kept: kept.storage, dy: dy.storage, dx: dx.storage }
        gpu.run(kernel, bindings, { n: vectorsOf(dx.shape), ...attrs }, { BACKWARD: 1 })
      },
    },
  })
}
