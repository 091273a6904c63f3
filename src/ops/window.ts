/** Windows that slide over images, as pools have them. */
import { ShapeError } from '../base/errors.ts'
import { type Pair, type Shape, shape4, showShape } from '../tensor/ndbuffer.ts'

export interface WindowAttrs {
  readonly kernel: Pair
  readonly stride: Pair
  readonly padding: Pair
  /**
   * Whether a last window may reach past the edge, as long as it begins within the image or the
   * padding before it.
   */
  readonly ceilMode?: boolean
}

/** A window along one axis. */
interface Axis {
  readonly kernel: number
  readonly stride: number
  readonly padding: number
  readonly ceilMode?: boolean
}

/** Windows along one axis of n elements, as PyTorch counts them. */
export function pooledExtent(
  n: number,
  { kernel, stride, padding, ceilMode = false }: Axis,
): number {
  const windows = (n + 2 * padding - kernel) / stride
  if (!ceilMode) return Math.floor(windows) + 1
  const ceiled = Math.ceil(windows) + 1
  return (ceiled - 1) * stride >= n + padding ? ceiled - 1 : ceiled
}

/**
 * How many windows there are, in height and width.
 * @param op the operator, for errors
 * @throws ShapeError where windows or x do not fit
 */
export function checkedWindow(
  op: string,
  x: Shape,
  { kernel, stride, padding, ceilMode = false }: WindowAttrs,
): Pair {
  const [, , height, width] = shape4(x, `${op}: x is [N, C, H, W]`)
  const whole = (pair: Pair, least: number) => pair.every((n) => Number.isInteger(n) && n >= least)
  if (!whole(kernel, 1)) throw new ShapeError(`${op}: kernel is a positive integer, not ${kernel}`)
  if (!whole(stride, 1)) throw new ShapeError(`${op}: stride is a positive integer, not ${stride}`)
  // More padding would leave windows that hold no element at all.
  if (!whole(padding, 0) || 2 * padding[0] > kernel[0] || 2 * padding[1] > kernel[1])
    throw new ShapeError(
      `${op}: padding is an integer between 0 and half the kernel ${kernel}, not ${padding}`,
    )
  const axis = (i: 0 | 1): Axis => ({
    kernel: kernel[i],
    stride: stride[i],
    padding: padding[i],
    ceilMode,
  })
  const out = [pooledExtent(height, axis(0)), pooledExtent(width, axis(1))] as const
  if (out.some((n) => n < 1))
    throw new ShapeError(
      `${op}: a window of ${kernel} does not fit into x ${showShape(x)} with padding ${padding}`,
    )
  return out
}
