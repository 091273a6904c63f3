import { ShapeError } from '../base/errors.ts'
import { pointwise } from './pointwise.ts'

/** Bounds of `clamp`. */
export type ClampAttrs = Readonly<Record<'low' | 'high', number>>

/** y = min(max(x, low), high). */
export const clamp = pointwise<'x', ClampAttrs>({
  name: 'clamp',
  kernel: 'clamp/clamp',
  from: 'x',
  flops: 2,
  check({ low, high }) {
    if (!(low <= high))
      throw new ShapeError(`clamp: low is at most high, and these are ${low} and ${high}`)
  },
})
