/**
 * One number of a tensor written out: which numbers it was made of, and how. Plain float64 over the
 * values that a recording kept; what the page shows when a number is clicked.
 */
type Pair = readonly [number, number]

/** Values of a tensor, row-major; a recording may have kept only the first of them. */
export interface Values {
  readonly shape: readonly number[]
  readonly values: ArrayLike<number>
}

/** One product, and where its factors lie. */
export interface Term {
  readonly a: number
  readonly b: number
  readonly aAt: readonly number[]
  readonly bAt: readonly number[]
}

export interface Explanation {
  /** 'y[0, 3, 5, 2] = bias[3] + Σ weight · x' */
  readonly formula: string
  /** What the factors are called; `a` is the tensor whose part is highlighted. */
  readonly names: readonly [string, string]
  readonly terms: readonly Term[]
  /**
   * Products or values left out because they fall on padding, where x is 0, and for a largest value
   * less than every other.
   */
  readonly outside: number
  readonly bias: number | null
  /**
   * The sum before the ReLU that the same launch applies, where there is one; it never was in
   * memory.
   */
  readonly beforeRelu: number | null
  /** The number, from the terms, in float64. */
  readonly result: number
  /** How the result follows, where it is not the sum of the terms and the bias. */
  readonly rule: 'sum' | 'max' | 'mean' | 'value'
  /**
   * The part of tensor `a` that was read: its first channel and how many, its first row and column,
   * height and width; inside the tensor.
   */
  readonly field: Field | null
}

export interface Field {
  readonly channel: number
  readonly channels: number
  readonly top: number
  readonly left: number
  readonly height: number
  readonly width: number
}

/** Thrown where a number that is needed was not kept. */
export class NotKept extends Error {}

export interface ExplainedCall {
  readonly operator: string
  readonly attrs: Readonly<Record<string, unknown>>
  readonly tensors: Readonly<Record<string, Values>>
}

/** Operators whose results can be written out. */
export const explained = [
  'conv2d',
  'linear',
  'relu',
  'maxPool2d',
  'adaptiveAvgPool2d',
  'localResponseNorm',
  'dropout',
] as const

/**
 * Writes out one element of an operator's result.
 * @param at its coordinates in y
 * @throws NotKept where the recording lacks a value
 * @example explainOutput(call, [0, 3, 5, 2]).terms.length // 75, for a filter of 5 x 5 over 3 channels inside the image
 */
export function explainOutput(call: ExplainedCall, at: readonly number[]): Explanation {
  const { operator, attrs, tensors } = call
  const x = need(tensors, 'x')
  const place = `y[${at.join(', ')}]`
  if (operator === 'conv2d') return withRelu(convOutput(tensors, attrs, at), attrs, place)
  if (operator === 'linear') return withRelu(linearOutput(tensors, at), attrs, place)
  if (operator === 'maxPool2d' || operator === 'adaptiveAvgPool2d')
    return poolOutput(operator, x, attrs, at, place)
  if (operator === 'localResponseNorm') return normOutput(x, attrs, at, place)
  const value = read(x, at)
  const y = operator === 'relu' ? Math.max(value, 0) : read(need(tensors, 'y'), at)
  const formula =
    operator === 'relu'
      ? `${place} = max(x, 0)`
      : `${place} = x · (0 where dropped, else 1 / (1 − p))`
  const factor = operator === 'relu' ? (value > 0 ? 1 : 0) : value === 0 ? 0 : y / value
  return {
    ...{
      formula,
      names: ['x', 'factor'],
      outside: 0,
      bias: null,
      beforeRelu: null,
      result: y,
      rule: 'value',
      field: null,
    },
    terms: [{ a: value, b: factor, aAt: at, bAt: [] }],
  }
}

/**
 * Writes out one element of a weight's gradient: the products of dy and x that it sums.
 * @param at its coordinates in the weight
 * @throws NotKept where the recording lacks a value
 */
export function explainWeightGradient(call: ExplainedCall, at: readonly number[]): Explanation {
  const { operator, attrs, tensors } = call
  const [x, dy] = [need(tensors, 'x'), need(tensors, 'dy')]
  const place = `dweight[${at.join(', ')}]`
  const terms: Term[] = []
  if (operator === 'linear') {
    const [o = 0, i = 0] = at
    for (let n = 0; n < (x.shape[0] ?? 0); n++) terms.push(term(x, [n, i], dy, [n, o]))
    return summed(
      `${place} = Σ over images n of dy[n, ${o}] · x[n, ${i}]`,
      ['x', 'dy'],
      terms,
      0,
      null,
      null,
    )
  }
  const [o = 0, c = 0, u = 0, v = 0] = at
  const { stride, padding, groups } = convAttrs(attrs)
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape
  const [, outChannels = 1, outHeight = 0, outWidth = 0] = dy.shape
  const channel = Math.floor(o / (outChannels / groups)) * (channels / groups) + c
  let outside = 0
  for (let n = 0; n < batch; n++)
    for (let i = 0; i < outHeight; i++)
      for (let j = 0; j < outWidth; j++) {
        const [row, column] = [i * stride[0] + u - padding[0], j * stride[1] + v - padding[1]]
        if (row < 0 || row >= height || column < 0 || column >= width) outside++
        else terms.push(term(x, [n, channel, row, column], dy, [n, o, i, j]))
      }
  const [offsetY, offsetX] = [u - padding[0], v - padding[1]]
  const xAt = `n, ${channel}, ${shifted(times(stride[0], 'i'), offsetY)}, ${shifted(times(stride[1], 'j'), offsetX)}`
  const formula = `${place} = Σ over images n, output rows i and columns j of dy[n, ${o}, i, j] · x[${xAt}]`
  const [rows, columns] = [
    spanOf(outHeight, stride[0], offsetY, height),
    spanOf(outWidth, stride[1], offsetX, width),
  ]
  const field = {
    channel,
    channels: 1,
    top: rows.first,
    left: columns.first,
    height: rows.extent,
    width: columns.extent,
  }
  return summed(formula, ['x', 'dy'], terms, outside, null, terms.length ? field : null)
}

/**
 * The rows (or columns) of x, from the first to the last, that one row of a weight meets while the
 * filter slides.
 */
function spanOf(
  outputs: number,
  stride: number,
  offset: number,
  extent: number,
): { readonly first: number; readonly extent: number } {
  const [from, to] = [
    Math.max(0, Math.ceil(-offset / stride)),
    Math.min(outputs - 1, Math.floor((extent - 1 - offset) / stride)),
  ]
  return { first: from * stride + offset, extent: (to - from) * stride + 1 }
}

/** 'u', 'u + 3', 'u − 2'. */
function shifted(name: string, by: number): string {
  return by === 0 ? name : `${name} ${by > 0 ? '+' : '−'} ${Math.abs(by)}`
}

const times = (factor: number, name: string) => (factor === 1 ? name : `${factor} · ${name}`)

/** The sum as the result, or what the ReLU in the same launch leaves of it. */
function withRelu(sum: Explanation, { relu }: ExplainedCall['attrs'], place: string): Explanation {
  const { formula, result } = sum
  if (!relu) return { ...sum, formula: `${place} = ${formula}` }
  return {
    ...sum,
    formula: `${place} = max(0, ${formula})`,
    result: Math.max(result, 0),
    beforeRelu: result,
  }
}

function convOutput(
  tensors: ExplainedCall['tensors'],
  attrs: ExplainedCall['attrs'],
  at: readonly number[],
): Explanation {
  const [x, weight, bias] = [need(tensors, 'x'), need(tensors, 'weight'), tensors.bias]
  const { stride, padding, groups } = convAttrs(attrs)
  const [n = 0, o = 0, i = 0, j = 0] = at
  const [, channels = 0, height = 0, width = 0] = x.shape
  const [outChannels = 1, depth = 0, kernelHeight = 0, kernelWidth = 0] = weight.shape
  const first = Math.floor(o / (outChannels / groups)) * (channels / groups)
  const [top, left] = [i * stride[0] - padding[0], j * stride[1] - padding[1]]
  const terms: Term[] = []
  let outside = 0
  for (let c = 0; c < depth; c++)
    for (let u = 0; u < kernelHeight; u++)
      for (let v = 0; v < kernelWidth; v++) {
        const [row, column] = [top + u, left + v]
        if (row < 0 || row >= height || column < 0 || column >= width) outside++
        else terms.push(term(x, [n, first + c, row, column], weight, [o, c, u, v]))
      }
  const xAt = `${n}, ${shifted('c', first)}, ${shifted('u', top)}, ${shifted('v', left)}`
  const sum = `Σ over channels c, filter rows u and columns v of weight[${o}, c, u, v] · x[${xAt}]`
  const formula = `${bias ? `bias[${o}] + ` : ''}${sum}`
  const inside = { top: Math.max(top, 0), left: Math.max(left, 0) }
  return summed(formula, ['x', 'weight'], terms, outside, bias ? read(bias, [o]) : null, {
    ...{ channel: first, channels: depth, ...inside },
    height: Math.min(top + kernelHeight, height) - inside.top,
    width: Math.min(left + kernelWidth, width) - inside.left,
  })
}

function linearOutput(tensors: ExplainedCall['tensors'], at: readonly number[]): Explanation {
  const [x, weight, bias] = [need(tensors, 'x'), need(tensors, 'weight'), tensors.bias]
  const [n = 0, o = 0] = at
  const terms = Array.from({ length: weight.shape[1] ?? 0 }, (_, i) =>
    term(x, [n, i], weight, [o, i]),
  )
  const formula = `${bias ? `bias[${o}] + ` : ''}Σ over inputs i of weight[${o}, i] · x[${n}, i]`
  return summed(formula, ['x', 'weight'], terms, 0, bias ? read(bias, [o]) : null, null)
}

function poolOutput(
  operator: string,
  x: Values,
  attrs: ExplainedCall['attrs'],
  at: readonly number[],
  place: string,
): Explanation {
  const [n = 0, c = 0, i = 0, j = 0] = at
  const [, , height = 0, width = 0] = x.shape
  const max = operator === 'maxPool2d'
  const {
    kernel = [1, 1],
    stride = [1, 1],
    padding = [0, 0],
    size = [1, 1],
  } = attrs as Record<string, Pair>
  const span = (o: number, extent: number, d: 0 | 1): Pair =>
    max
      ? [o * stride[d] - padding[d], o * stride[d] - padding[d] + kernel[d]]
      : [Math.floor((o * extent) / size[d]), Math.ceil(((o + 1) * extent) / size[d])]
  const [[top, bottom], [left, right]] = [span(i, height, 0), span(j, width, 1)]
  const terms: Term[] = []
  let outside = 0
  const count = (bottom - top) * (right - left)
  for (let row = top; row < bottom; row++)
    for (let column = left; column < right; column++) {
      if (row < 0 || row >= height || column < 0 || column >= width) outside++
      else
        terms.push({
          a: read(x, [n, c, row, column]),
          b: max ? 1 : 1 / count,
          aAt: [n, c, row, column],
          bAt: [],
        })
    }
  const values = terms.map(({ a }) => a)
  const inside = { top: Math.max(top, 0), left: Math.max(left, 0) }
  return {
    formula: `${place} = the ${max ? 'largest' : 'mean'} of x[${n}, ${c}, ${inside.top}…${Math.min(bottom, height) - 1}, ${inside.left}…${Math.min(right, width) - 1}]`,
    ...{
      names: ['x', max ? '' : '1 / count'],
      terms,
      outside,
      bias: null,
      beforeRelu: null,
      rule: max ? 'max' : 'mean',
    },
    result: max ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0) / count,
    field: {
      channel: c,
      channels: 1,
      ...inside,
      height: Math.min(bottom, height) - inside.top,
      width: Math.min(right, width) - inside.left,
    },
  }
}

function normOutput(
  x: Values,
  attrs: ExplainedCall['attrs'],
  at: readonly number[],
  place: string,
): Explanation {
  const [n = 0, c = 0, ...pixel] = at
  const { size = 1, alpha = 0, beta = 0, k = 1 } = attrs as Record<string, number>
  const first = Math.max(0, c - Math.floor(size / 2))
  const last = Math.min((x.shape[1] ?? 1) - 1, c + Math.floor((size - 1) / 2))
  const terms: Term[] = []
  for (let channel = first; channel <= last; channel++)
    terms.push(term(x, [n, channel, ...pixel], x, [n, channel, ...pixel]))
  const squares = terms.reduce((sum, { a, b }) => sum + a * b, 0)
  const [top = 0, left = 0] = pixel
  return {
    formula: `${place} = x / (${k} + ${alpha} / ${size} · Σ over channels ${first}…${last} of x²)^${beta}`,
    ...{ names: ['x', 'x'], terms, outside: 0, bias: null, beforeRelu: null, rule: 'value' },
    result: read(x, at) / (k + (alpha / size) * squares) ** beta,
    field: { channel: first, channels: last - first + 1, top, left, height: 1, width: 1 },
  }
}

function summed(
  formula: string,
  names: readonly [string, string],
  terms: readonly Term[],
  outside: number,
  bias: number | null,
  field: Field | null,
): Explanation {
  const result = terms.reduce((sum, { a, b }) => sum + a * b, bias ?? 0)
  return { formula, names, terms, outside, bias, beforeRelu: null, result, rule: 'sum', field }
}

function term(a: Values, aAt: readonly number[], b: Values, bAt: readonly number[]): Term {
  return { a: read(a, aAt), b: read(b, bAt), aAt, bAt }
}

function convAttrs(attrs: ExplainedCall['attrs']): {
  readonly stride: Pair
  readonly padding: Pair
  readonly groups: number
} {
  const {
    stride = [1, 1],
    padding = [0, 0],
    groups = 1,
  } = attrs as { stride?: Pair; padding?: Pair; groups?: number }
  return { stride, padding, groups }
}

function need(tensors: ExplainedCall['tensors'], name: string): Values {
  const tensor = tensors[name]
  if (!tensor) throw new NotKept(`the recording holds no ${name}`)
  return tensor
}

/** The element at these coordinates. */
function read({ shape, values }: Values, at: readonly number[]): number {
  const flat = at.reduce((index, position, i) => index * (shape[i] ?? 1) + position, 0)
  const value = values[flat]
  if (value === undefined)
    throw new NotKept(`the page holds only the first ${values.length} values of this tensor`)
  return value
}
