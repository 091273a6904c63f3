import { ShapeError } from '../base/errors.ts'
import { type Shape, type Shape2, showShape, sizeOf } from '../tensor/ndbuffer.ts'

/** [N, …] as [N, everything else]. The memory stays, so there is no kernel. */
export function flattenedShape(shape: Shape): Shape2 {
  const [batch, ...rest] = shape
  if (batch === undefined)
    throw new ShapeError(`flatten: x has at least one dimension, not ${showShape(shape)}`)
  return [batch, sizeOf(rest)]
}
