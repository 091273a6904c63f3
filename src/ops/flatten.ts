import { ShapeError } from '../base/errors.ts'
import { showShape, sizeOf } from '../tensor/ndbuffer.ts'
import type { ViewOp } from './op.ts'

/** [N, …] to [N, everything else]: the same memory under another shape. */
export const flatten: ViewOp<Record<never, never>> = {
  name: 'flatten',
  view: true,
  outShape(shape) {
    if (shape.length < 1)
      throw new ShapeError(`flatten: x has at least one dimension, not ${showShape(shape)}`)
    const [batch = 1, ...rest] = shape
    return [batch, sizeOf(rest)]
  },
}
