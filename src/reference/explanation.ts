/** One number of a tensor, written out: which numbers it was made of, and how. */
import { flatIndex, four, type NdArray, ndArray, sizeOf } from './ndarray.ts'

/** Values of a tensor, row-major; a recording may have kept only the first of them. */
export interface Values {
  readonly shape: readonly number[]
  readonly values: ArrayLike<number>
}

/** A call of an operator: attributes, inputs, and y, dy and gradients where they are kept. */
export interface ExplainedCall<Attrs> {
  readonly attrs: Attrs
  readonly tensors: Readonly<Record<string, Values>>
}

/** One product, and the coordinates of its factors. */
export interface Term {
  readonly a: number
  readonly b: number
  readonly aAt: readonly number[]
  readonly bAt: readonly number[]
}

/** The part of a tensor that was read, within its bounds. */
export interface Field {
  readonly channel: number
  readonly channels: number
  readonly top: number
  readonly left: number
  readonly height: number
  readonly width: number
}

export interface Explanation {
  /** 'y[0, 3, 5, 2] = bias[3] + Σ weight · x' */
  readonly formula: string
  /** What the factors are called; `a` is the tensor whose part is highlighted. */
  readonly names: readonly [string, string]
  readonly terms: readonly Term[]
  /** How many products or values are left out, because they fall on padding. */
  readonly outside: number
  readonly bias: number | null
  /** The sum before the ReLU of the same launch, where there is one; it is never stored. */
  readonly beforeRelu: number | null
  /** The number, computed from the terms in float64. */
  readonly result: number
  /** How the result follows: 'sum' adds the terms and the bias; 'value' is the formula itself. */
  readonly rule: 'sum' | 'max' | 'mean' | 'value'
  /** The part of tensor `a` that was read. */
  readonly field: Field | null
}

/** Thrown where the recording did not keep a number that is needed. */
export class NotKept extends Error {}

/** A tensor of the call. @throws NotKept where the recording holds none of this name */
export function kept({ tensors }: Pick<ExplainedCall<never>, 'tensors'>, name: string): Values {
  const tensor = tensors[name]
  if (!tensor) throw new NotKept(`the recording holds no ${name}`)
  return tensor
}

/** The element at these coordinates. @throws NotKept where only earlier ones were kept */
export function read({ shape, values }: Values, at: readonly number[]): number {
  const value = values[flatIndex(at, shape)]
  if (value === undefined)
    throw new NotKept(`the page holds only the first ${values.length} values of this tensor`)
  return value
}

/** All of a tensor's values. @throws NotKept where only the first of them were kept */
export function whole({ shape, values }: Values): NdArray {
  if (values.length < sizeOf(shape))
    throw new NotKept(`the page holds only the first ${values.length} values of this tensor`)
  return ndArray(values, shape)
}

/** The product of an element of `a` and one of `b`. */
export function term(a: Values, aAt: readonly number[], b: Values, bAt: readonly number[]): Term {
  return { a: read(a, aAt), b: read(b, bAt), aAt, bAt }
}

/** What most explanations have: no padding, no bias, no part to highlight. */
const plain = { outside: 0, bias: null, beforeRelu: null, field: null } as const

/** An explanation whose formula is its own rule. */
export function valued(
  parts: Pick<Explanation, 'formula' | 'names' | 'terms' | 'result'> & Partial<Explanation>,
): Explanation {
  return { ...plain, rule: 'value', ...parts }
}

/** An explanation whose result is the sum of its terms and its bias. */
export function summed(
  parts: Pick<Explanation, 'formula' | 'names' | 'terms'> & Partial<Explanation>,
): Explanation {
  const result = parts.terms.reduce((sum, { a, b }) => sum + a * b, parts.bias ?? 0)
  return { ...plain, rule: 'sum', result, ...parts }
}

/** The output's formula for a sum, and what the ReLU in the same launch leaves of it. */
export function output(
  sum: Explanation,
  at: readonly number[],
  { relu = false }: { readonly relu?: boolean },
): Explanation {
  const { formula, result } = sum
  const place = `y[${at.join(', ')}]`
  if (!relu) return { ...sum, formula: `${place} = ${formula}` }
  return {
    ...sum,
    formula: `${place} = max(0, ${formula})`,
    result: Math.max(result, 0),
    beforeRelu: result,
  }
}

/** 'u', 'u + 3', 'u − 2'. */
export function shifted(name: string, by: number): string {
  return by === 0 ? name : `${name} ${by > 0 ? '+' : '−'} ${Math.abs(by)}`
}

/** Rows or columns of x, from the first up to, not including, the last. */
type Span = readonly [number, number]

/** The part of an image's channels between these rows and columns that lies inside the image. */
export function fieldOf(
  shape: readonly number[],
  [channel, channels]: readonly [first: number, count: number],
  [top, bottom]: Span,
  [left, right]: Span,
): Field {
  const [, , height, width] = four(shape)
  const [firstRow, firstColumn] = [Math.max(top, 0), Math.max(left, 0)]
  return {
    channel,
    channels,
    top: firstRow,
    left: firstColumn,
    height: Math.min(bottom, height) - firstRow,
    width: Math.min(right, width) - firstColumn,
  }
}

/** The largest or the mean of a window of one plane of x. */
export function explainWindow(
  rule: 'max' | 'mean',
  call: ExplainedCall<object>,
  at: readonly number[],
  rows: Span,
  columns: Span,
): Explanation {
  const x = kept(call, 'x')
  const [n, c] = four(at)
  const count = (rows[1] - rows[0]) * (columns[1] - columns[0])
  const field = fieldOf(x.shape, [c, 1], rows, columns)
  const { top, left, height, width } = field
  const terms: Term[] = []
  for (let row = top; row < top + height; row++)
    for (let column = left; column < left + width; column++) {
      const place = [n, c, row, column]
      terms.push({ a: read(x, place), b: rule === 'max' ? 1 : 1 / count, aAt: place, bAt: [] })
    }
  const values = terms.map(({ a }) => a)
  return valued({
    formula:
      `y[${at.join(', ')}] = the ${rule === 'max' ? 'largest' : 'mean'} of ` +
      `x[${n}, ${c}, ${top}…${top + height - 1}, ${left}…${left + width - 1}]`,
    names: ['x', rule === 'max' ? '' : '1 / count'],
    terms,
    outside: count - terms.length,
    rule,
    result: rule === 'max' ? Math.max(...values) : values.reduce((a, b) => a + b, 0) / count,
    field,
  })
}
