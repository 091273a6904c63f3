import type { NamedArray } from '../../base/stateDict.ts'
import { gather, product } from '../arrays.ts'
import type { NodeView } from './node.ts'

export function zeros(n: number): NamedArray {
  return { shape: [n], data: new Float32Array(n) }
}

export function requireShape(
  node: NodeView,
  what: string,
  { shape }: NamedArray,
  wanted: readonly number[],
): void {
  if (shape.length !== wanted.length || !shape.every((n, i) => n === wanted[i]))
    throw node.error(`has a ${what} of shape [${shape.join(', ')}], not [${wanted.join(', ')}]`)
}

/** The number of outputs of a dense layer's weight, [out, in]. */
export function outputsOf(node: NodeView, { shape }: NamedArray, inputs: number): number {
  const [out, taken = 'no', ...others] = shape
  if (!out || taken !== inputs || others.length > 0)
    throw node.error(`has a weight for ${taken} inputs, and the layer before it gives ${inputs}`)
  return out
}

/**
 * A bias that broadcasts over the batch and over the image behind the channels, or one number for
 * all outputs.
 */
export function biasOf(
  node: NodeView,
  { shape, data, dtype }: NamedArray,
  out: number,
  window = 0,
): NamedArray {
  const [only] = data
  if (only !== undefined && data.length === 1 && product(shape) === 1)
    return { shape: [out], data: new Float32Array(out).fill(only), dtype }
  const behind = shape.slice(shape.length - window)
  const before = shape.slice(0, shape.length - window)
  const fits =
    behind.every((n) => n === 1) &&
    before.at(-1) === out &&
    before.slice(0, -1).every((n) => n === 1)
  if (shape.length < window + 1 || shape.length > window + 2 || !fits)
    throw node.error(
      `has a bias of shape [${shape.join(', ')}], ` +
        `which is not one number for each of ${out} outputs`,
    )
  return { shape: [out], data, dtype }
}

/** [in, out] as [out, in]. */
export function transpose(node: NodeView, { shape, data, dtype }: NamedArray): NamedArray {
  const [rows, columns, ...others] = shape
  if (rows === undefined || columns === undefined || others.length > 0)
    throw node.error(`has a weight of shape [${shape.join(', ')}], not [in, out]`)
  return { shape: [columns, rows], data: gather(data, [columns, rows], [1, columns]), dtype }
}

export function scaled(array: NamedArray, factor: number): NamedArray {
  return factor === 1 ? array : { ...array, data: array.data.map((value) => value * factor) }
}
