import type { NodeView } from './node.ts'

type Shape4 = readonly [number, number, number, number]

/** The largest integer that an attribute may have. */
export const largest = 2 ** 20

/** An attribute of one number for each axis of the image, all the same. */
export function squareOf(node: NodeView, name: string, otherwise: readonly number[]): number {
  const values = node.ints(name, otherwise)
  const [first, second] = values
  if (first === undefined || values.length !== 2 || second !== first)
    throw node.error(`has ${name} ${values.slice(0, 4).join('x')}, and only square ones are read`)
  if (!(first >= 1 && first <= largest))
    throw node.error(`has ${name} of ${first}: the file is damaged`)
  return first
}

/** `kernel_shape`, which a convolution's weight says too. */
export function checkKernel(node: NodeView, weight?: number): number {
  const kernel = squareOf(node, 'kernel_shape', weight ? [weight, weight] : [])
  if (weight !== undefined && kernel !== weight)
    throw node.error(`says a kernel of ${kernel}, and its weight is for ${weight}`)
  return kernel
}

/** Padding before and behind, the same for height and width. */
export function paddingOf(
  node: NodeView,
  extents: readonly [number, number],
  kernel: number,
  stride: number,
): readonly [number, number] {
  const auto = node.text('auto_pad', 'NOTSET')
  const pads = node.ints('pads', [0, 0, 0, 0])
  if (!['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'].includes(auto))
    throw node.error(`has auto_pad ${JSON.stringify(auto.slice(0, 40))}, which does not exist`)
  const same = extents.map((n): readonly [number, number] => {
    const total = Math.max((Math.ceil(n / stride) - 1) * stride + kernel - n, 0)
    const before = auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2)
    return [before, total - before]
  }) as [readonly [number, number], readonly [number, number]]
  const [[sameTop, sameBottom], [sameLeft, sameRight]] = same
  const sides =
    auto === 'NOTSET'
      ? pads
      : auto === 'VALID'
        ? [0, 0, 0, 0]
        : [sameTop, sameLeft, sameBottom, sameRight]
  const [top, left, bottom, right] = sides as Shape4
  if (pads.length !== 4 || top !== left || bottom !== right)
    throw node.error(
      `pads [${pads.slice(0, 8).join(', ')}], and only the same for height and width is read`,
    )
  if (!(top >= 0 && top <= largest && bottom >= 0 && bottom <= largest))
    throw node.error(`pads ${top} and ${bottom}: the file is damaged`)
  return [top, bottom]
}
