import { UsageError } from '../base/errors.ts'

/**
 * One axis of a separable resampling: each output is a weighted sum of `taps` neighboring inputs.
 */
export interface AxisFilter {
  /**
   * The first input that any output reads, and how many inputs lie from there to the last one read.
   */
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
 * The bilinear filter with antialiasing of PyTorch's F.interpolate (antialias=True,
 * align_corners=False), which is Pillow's. With scale = input / output and support = max(scale, 1),
 * output o is centered at c = scale · (o + ½) and weighs input i by max(0, 1 − |i + ½ − c| /
 * support), divided by the sum of its weights.
 * @param input extent before
 * @param output extent after
 * @param from the first output wanted
 * @param count how many
 */
export function antialiasFilter(
  input: number,
  output: number,
  from: number,
  count: number,
): AxisFilter {
  const key = `${input} ${output} ${from} ${count}`
  const known = filters.get(key)
  if (known) return known
  if (filters.size >= keptFilters) filters.clear()
  const filter = makeFilter(input, output, from, count)
  filters.set(key, filter)
  return filter
}

/** Images come in a few sizes, or in one. */
const filters = new Map<string, AxisFilter>()
const keptFilters = 512

function makeFilter(input: number, output: number, from: number, count: number): AxisFilter {
  const scale = input / output
  const support = Math.max(scale, 1)
  const weightOf = (i: number, center: number) =>
    Math.max(0, 1 - Math.abs(i + 0.5 - center) / support)
  const firsts = new Float64Array(count)
  const ends = new Float64Array(count)
  let taps = 1
  for (let k = 0; k < count; k++) {
    const center = scale * (from + k + 0.5)
    let first = Math.max(Math.trunc(center - support + 0.5), 0)
    let end = Math.min(Math.trunc(center + support + 0.5), input)
    while (end - first > 1 && weightOf(end - 1, center) === 0) end--
    while (end - first > 1 && weightOf(first, center) === 0) first++
    firsts[k] = first
    ends[k] = end
    taps = Math.max(taps, end - first)
  }
  // Every output reads `taps` inputs, so that none of the loop's steps is conditional; near the end
  // that takes an earlier first one.
  let start = input
  let last = 0
  for (const first of firsts) {
    const at = Math.min(first, input - taps)
    start = Math.min(start, at)
    last = Math.max(last, at)
  }
  const table = new Float32Array(taps * count)
  const places = new Uint32Array(count)
  for (let k = 0; k < count; k++) {
    const center = scale * (from + k + 0.5)
    const [first = 0, end = 0] = [firsts[k], ends[k]]
    const place = Math.min(first, input - taps)
    places[k] = place - start
    let sum = 0
    for (let i = first; i < end; i++) sum += weightOf(i, center)
    for (let i = first; i < end; i++) table[(i - place) * count + k] = weightOf(i, center) / sum
  }
  return { start, extent: last + taps - start, taps, first: places, weights: table }
}

/** The filter whose outputs come the other way round: it flips what it resamples. */
export function mirrored({ start, extent, taps, first, weights }: AxisFilter): AxisFilter {
  const count = first.length
  const turned = new Float32Array(weights.length)
  for (let tap = 0; tap < taps; tap++)
    turned.set(weights.slice(tap * count, (tap + 1) * count).reverse(), tap * count)
  return { start, extent, taps, first: first.slice().reverse(), weights: turned }
}

/**
 * Height and width once the shorter side has become `resize`; the longer one is rounded down, as
 * torchvision does.
 */
export function resizedExtent(
  height: number,
  width: number,
  resize: number,
): { readonly height: number; readonly width: number } {
  if (height <= width) return { height: resize, width: Math.trunc((resize * width) / height) }
  return { height: Math.trunc((resize * height) / width), width: resize }
}

/**
 * Where the middle `size` of `n` begins: (n − size) / 2, halves to the even neighbor, as
 * torchvision's CenterCrop rounds. Negative where n is smaller.
 * @throws UsageError unless both are positive integers
 * @example centerOffset(341, 224) // 58, from 58.5
 */
export function centerOffset(n: number, size: number): number {
  for (const extent of [n, size])
    if (!Number.isSafeInteger(extent) || extent < 1)
      throw new UsageError(`centerOffset: ${extent} is no extent: give positive integers`)
  const half = (n - size) / 2
  const below = Math.floor(half)
  if (half === below) return below
  return below % 2 === 0 ? below : below + 1
}
