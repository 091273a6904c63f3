import { type LocalResponseNormAttrs, localResponseNorm as op } from '../ops/localResponseNorm.ts'
import { kept, read, type Term, term, valued } from './explanation.ts'
import { add, at, item, type NdArray, sizeOf, zeros } from './ndarray.ts'
import { between, extents } from './random.ts'
import type { Arrays, Case, Specification } from './specification.ts'

/** The channels in the window around `c`: c - floor(size/2) .. c + floor((size-1)/2), inside x. */
function channelWindow(c: number, size: number, channels: number): [first: number, last: number] {
  const [before, behind] = [Math.floor(size / 2), Math.floor((size - 1) / 2)]
  return [Math.max(0, c - before), Math.min(channels - 1, c + behind)]
}

/**
 * Visits every pair (channel ci, channel cj in its window), as flat positions of the same pixel.
 */
function walk(x: NdArray, size: number, visit: (i: number, j: number) => void): void {
  const [n, c] = [item(x.shape, 0), item(x.shape, 1)]
  const pixels = sizeOf(x.shape.slice(2))
  for (let ni = 0; ni < n; ni++) {
    for (let ci = 0; ci < c; ci++) {
      const [first, last] = channelWindow(ci, size, c)
      for (let cj = first; cj <= last; cj++) {
        for (let pixel = 0; pixel < pixels; pixel++)
          visit((ni * c + ci) * pixels + pixel, (ni * c + cj) * pixels + pixel)
      }
    }
  }
}

/** d[c] = k + alpha / size * sum over j in the window of c of x[j]^2 */
function denominators(x: NdArray, { size, alpha, k }: LocalResponseNormAttrs): Float64Array {
  const d = new Float64Array(x.data.length).fill(k)
  walk(x, size, (i, j) => add(d, i, (alpha / size) * at(x.data, j) ** 2))
  return d
}

/**
 * y[c] = x[c] * d[c]^-beta   (torch.nn.functional.local_response_norm: alpha is divided by the
 * window's size)
 */
export function localResponseNorm(x: NdArray, attrs: LocalResponseNormAttrs): NdArray {
  const d = denominators(x, attrs)
  return { shape: [...x.shape], data: x.data.map((value, i) => value * at(d, i) ** -attrs.beta) }
}

/**
 * dx[j] = dy[j] * d[j]^-beta - 2 * alpha * beta / size * x[j] * sum over the c whose window holds j
 * of dy[c] * x[c] * d[c]^(-beta - 1)
 */
export function localResponseNormBackward(
  x: NdArray,
  dy: NdArray,
  attrs: LocalResponseNormAttrs,
): NdArray {
  const { size, alpha, beta } = attrs
  const d = denominators(x, attrs)
  const dx = zeros(x.shape)
  for (let i = 0; i < dx.data.length; i++) dx.data[i] = at(dy.data, i) * at(d, i) ** -beta
  walk(x, size, (i, j) => {
    add(
      dx.data,
      j,
      ((-2 * alpha * beta) / size) *
        at(x.data, j) *
        at(dy.data, i) *
        at(x.data, i) *
        at(d, i) ** (-beta - 1),
    )
  })
  return dx
}

function shaped(
  x: readonly number[],
  size: number,
  { alpha = 1e-4, beta = 0.75, k = 1 } = {},
): Case<Arrays<'x'>, LocalResponseNormAttrs> {
  return { shapes: { x }, attrs: { size, alpha, beta, k } }
}

export const specification: Specification<Arrays<'x'>, LocalResponseNormAttrs> = {
  op,
  kernels: ['fast'],
  forward: ({ x }, attrs) => localResponseNorm(x, attrs),
  backward: ({ x }, dy, attrs) => ({ x: localResponseNormBackward(x, dy, attrs) }),
  tolerance: {
    reason:
      'WGSL lets pow(a, b) be off as exp2(b · log2(a)), whose error grows with the result’s ' +
      'exponent: a few units in the sixth place.',
    of: () => ({ relative: 5e-6, absolute: 1e-6 }),
  },
  edges: {
    'a window of five': { ...shaped([1, 6, 2, 3], 5, { alpha: 0.5 }), differences: true },
    'as AlexNet': shaped([2, 8, 3, 5], 5),
    'large activations': { ...shaped([2, 7, 4, 3], 5, { alpha: 2, k: 2 }), scale: 100 },
    'a large alpha': shaped([2, 7, 4, 3], 5, { alpha: 100, k: 2 }),
    'no alpha: only k counts': shaped([1, 4, 2, 2], 3, { alpha: 0, k: 2 }),
    'an even window': shaped([1, 6, 2, 2], 4, { alpha: 0.5 }),
    'a window of one': shaped([2, 3, 2, 2], 1, { alpha: 0.3 }),
    'a window wider than the channels': shaped([2, 3, 2, 3], 9, { alpha: 0.7, beta: 0.5 }),
    'one channel': shaped([1, 1, 4, 4], 5, { alpha: 1, beta: 0.5 }),
    'more channels than one thread computes': shaped([1, 19, 2, 2], 5, { alpha: 1 }),
    'three dimensions': shaped([2, 5, 4], 3, { alpha: 1 }),
    'more planes than a grid is wide': shaped([21_846, 3, 1, 1], 3, { alpha: 1 }),
    zeros: { ...shaped([1, 5, 2, 2], 5, { alpha: 1 }), values: { x: new Float32Array(20) } },
    'equal numbers': {
      ...shaped([1, 5, 2, 2], 3, { alpha: 1 }),
      values: { x: new Float32Array(20).fill(2) },
    },
  },
  draw: (random) =>
    shaped(
      [between(random, 1, 3), between(random, 1, 9), ...extents(random, between(random, 1, 2), 5)],
      between(random, 1, 7),
      {
        alpha: between(random, 1, 10) / 10,
        beta: random.below(3) ? 0.75 : 0.5,
        k: between(random, 1, 2),
      },
    ),
  large: shaped([1, 96, 55, 55], 5),
  explain(call, at) {
    const x = kept(call, 'x')
    const { size, alpha, beta, k } = call.attrs
    const [n, c, ...pixel] = [item(at, 0), item(at, 1), ...at.slice(2)]
    const [first, last] = channelWindow(c, size, item(x.shape, 1))
    const terms: Term[] = []
    for (let channel = first; channel <= last; channel++)
      terms.push(term(x, [n, channel, ...pixel], x, [n, channel, ...pixel]))
    const squares = terms.reduce((sum, { a, b }) => sum + a * b, 0)
    // What is highlighted lies in an image: [N, C, H, W].
    const [top, left] = pixel.length === 2 ? pixel : []
    const image = top !== undefined && left !== undefined
    return valued({
      formula:
        `y[${at.join(', ')}] = x / (${k} + ${alpha} / ${size} · ` +
        `Σ over channels ${first}…${last} of x²)^${beta}`,
      names: ['x', 'x'],
      terms,
      result: read(x, at) / (k + (alpha / size) * squares) ** beta,
      field: image
        ? { channel: first, channels: terms.length, top, left, height: 1, width: 1 }
        : null,
    })
  },
}
