import { UsageError } from '../gpu/errors.ts'

/** One axis of a separable resampling: each output is a weighted sum of `taps` neighbouring inputs. */
export interface AxisFilter {
  /** The first input that any output reads, and how many inputs lie from there to the last one read. */
  readonly start: number
  readonly extent: number
  /** Inputs an output reads; those that need fewer have weights of 0. */
  readonly taps: number
  /** For each output the first input it reads, counted from `start`. */
  readonly first: Uint32Array
  /** Weights [taps][outputs]; those of one output add up to 1. */
  readonly weights: Float32Array
}

/**
 * The bilinear filter with antialiasing of PyTorch's F.interpolate (antialias=True, align_corners=False), which is Pillow's. With
 * scale = input / output and support = max(scale, 1), output o is centred at c = scale · (o + ½) and weighs input i by
 * max(0, 1 − |i + ½ − c| / support), divided by the sum of its weights.
 * @param input extent before
 * @param output extent after
 * @param from the first output wanted
 * @param count how many
 */
export function antialiasFilter(input: number, output: number, from: number, count: number): AxisFilter {
  const scale = input / output
  const support = Math.max(scale, 1)
  const rows = Array.from({ length: count }, (_, k) => {
    const center = scale * (from + k + 0.5)
    let first = Math.max(Math.trunc(center - support + 0.5), 0)
    const end = Math.min(Math.trunc(center + support + 0.5), input)
    const weights = Array.from({ length: end - first }, (_, i) => Math.max(0, 1 - Math.abs(first + i + 0.5 - center) / support))
    while (weights.length > 1 && weights.at(-1) === 0) weights.pop()
    while (weights.length > 1 && weights[0] === 0) {
      weights.shift()
      first++
    }
    const sum = weights.reduce((a, b) => a + b, 0)
    return { first, weights: weights.map((weight) => weight / sum) }
  })
  const taps = rows.reduce((most, { weights }) => Math.max(most, weights.length), 1)
  // Every output reads `taps` inputs, so that none of the loop's steps is conditional; near the end that takes an earlier first one.
  const firsts = rows.map(({ first }) => Math.min(first, input - taps))
  const start = Math.min(...firsts)
  const table = new Float32Array(taps * count)
  for (const [k, { first, weights }] of rows.entries()) {
    const shift = first - (firsts[k] ?? 0)
    for (const [i, weight] of weights.entries()) table[(shift + i) * count + k] = weight
  }
  return {
    start,
    extent: Math.max(...firsts) + taps - start,
    taps,
    first: Uint32Array.from(firsts, (first) => first - start),
    weights: table,
  }
}

/** Height and width once the shorter side has become `resize`; the longer one is rounded down, as torchvision does. */
export function resizedExtent(height: number, width: number, resize: number): { readonly height: number; readonly width: number } {
  if (height <= width) return { height: resize, width: Math.trunc((resize * width) / height) }
  return { height: Math.trunc((resize * height) / width), width: resize }
}

/**
 * Where the middle `size` of `n` begins: (n − size) / 2, halves to the even neighbour, as torchvision's CenterCrop rounds. Negative
 * where n is smaller.
 * @throws UsageError unless both are positive integers
 * @example centreOffset(341, 224) // 58, from 58.5
 */
export function centreOffset(n: number, size: number): number {
  for (const extent of [n, size])
    if (!Number.isSafeInteger(extent) || extent < 1) throw new UsageError(`centreOffset: ${extent} is no extent: give positive integers`)
  const half = (n - size) / 2
  const below = Math.floor(half)
  if (half === below) return below
  return below % 2 === 0 ? below : below + 1
}
