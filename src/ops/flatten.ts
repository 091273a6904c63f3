import { ShapeError } from '../base/errors.ts'
import { showShape, sizeOf } from '../tensor/ndbuffer.ts'
import type { None, ViewOp } from './op.ts'

/** [N, …] to [N, everything else]: the same memory under another shape. */
export const flatten: ViewOp<None> = {
  name: 'flatten',
  view: true,
  outShape({ x }) {
    const [batch, ...rest] = x
    if (batch === undefined)
      throw new ShapeError(`flatten: x has at least one dimension, not ${showShape(x)}`)
    return [batch, sizeOf(rest)]
  },
}
