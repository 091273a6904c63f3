import { ShapeError } from '../base/errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { stripKernel } from '../gpu/kernels/kernel.ts'
import { eachPart } from '../gpu/memory/windows.ts'
import { type NdBuffer, sameShape, showShape, sizeOf } from '../tensor/ndbuffer.ts'
import { copyInto } from './copyRows.ts'
import { defineOp } from './op.ts'
import { relu } from './relu.ts'

const addKernel = stripKernel('add/forward', { cost: ({ n }) => ({ flops: 4 * n, bytes: 48 * n }) })

/** y = a + b, and with `rectify` max(a + b, 0); the tape adds gradients by it. */
export function addInto(gpu: Gpu, a: NdBuffer, b: NdBuffer, y: NdBuffer, rectify = false): void {
  eachPart(
    gpu.bindingLimits,
    sizeOf(y.shape),
    { a: a.storage, b: b.storage, y: y.storage },
    (windows, n) => gpu.run(addKernel, windows, { n: Math.ceil(n / 4) }, { RELU: rectify ? 1 : 0 }),
  )
}

export interface AddAttrs {
  /** Whether a ReLU is applied to the result. Default false. */
  readonly relu?: boolean
}

/** y = a + b, of one shape: where the two ways through a block meet. */
export const add = defineOp<'a' | 'b', AddAttrs>({
  name: 'add',
  inputs: ['a', 'b'],
  outShape({ a, b }) {
    if (sameShape(a, b)) return a
    throw new ShapeError(`add: a and b have one shape, not ${showShape(a)} and ${showShape(b)}`)
  },
  cost: ({ a }) => ({ flops: sizeOf(a), bytes: 12 * sizeOf(a) }),
  activation: (attrs) => (attrs.relu ? relu : null),
  forward(gpu, { a, b }, y, attrs) {
    addInto(gpu, a, b, y, attrs.relu)
    return {}
  },
  unchangedGradients: ['a', 'b'],
  backward: { a: copyInto, b: copyInto },
})
