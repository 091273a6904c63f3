import { philox4x32 } from '../base/random.ts'
import { type DropoutAttrs, dropout as op } from '../ops/dropout.ts'
import { kept, read, valued } from './explanation.ts'
import { at, flatIndex, item, type NdArray } from './ndarray.ts'
import { between, extents } from './random.ts'
import type { Arrays, Specification } from './specification.ts'

export interface DropoutOptions {
  /** A non-negative safe integer: its lower 32 bits and the rest are the key. */
  readonly seed: number
  /** Tells several uses of one seed apart. */
  readonly stream?: number
}

/** The random words of elements 4 * block to 4 * block + 3. */
function wordsOf(block: number, { seed, stream = 0 }: DropoutOptions): readonly number[] {
  return philox4x32([block, stream, 0, 0], [seed >>> 0, Math.floor(seed / 2 ** 32)])
}

/** Whether an element with this random word stays. */
const stays = (word: number, p: number) => (word >>> 8) * 2 ** -24 >= Math.fround(p)

/**
 * Which of `n` elements stay: with i the flat index,
 *
 *     key = [seed mod 2^32, floor(seed / 2^32)]
 *     word = philox4x32(counter [floor(i / 4), stream, 0, 0], key)[i mod 4]
 *     u = floor(word / 2^8) * 2^-24, in [0, 1) and exact in float32
 *     kept where u >= p, with p rounded to float32 as a kernel receives it
 */
export function dropoutMask(n: number, p: number, options: DropoutOptions): boolean[] {
  const mask: boolean[] = []
  for (let block = 0; block * 4 < n; block++)
    for (const word of wordsOf(block, options)) mask.push(stays(word, p))
  return mask.slice(0, n)
}

/**
 * y[i] = x[i] / (1 - p) where kept, else 0   (inverted dropout, as torch.nn.functional.dropout in
 * training)
 */
export function dropout(x: NdArray, p: number, options: DropoutOptions): NdArray {
  const mask = dropoutMask(x.data.length, p, options)
  return {
    shape: [...x.shape],
    data: Float64Array.from(mask, (keep, i) => (keep ? at(x.data, i) / (1 - p) : 0)),
  }
}

const shaped = (p: number, seed: number, ...x: number[]) => ({ shapes: { x }, attrs: { p, seed } })

export const specification: Specification<Arrays<'x'>, DropoutAttrs> = {
  op,
  kernels: ['fast'],
  forward: ({ x }, { p, seed }) => dropout(x, p, { seed }),
  // The same mask, over dy.
  backward: (_, dy, { p, seed }) => ({ x: dropout(dy, p, { seed }) }),
  tolerance: {
    reason: 'One multiplication by 1 / (1 − p), which is itself rounded once.',
    of: () => ({ relative: 2 ** -22 }),
  },
  edges: {
    'half of it': { ...shaped(0.5, 3, 5, 7), differences: true },
    'one number': shaped(0.5, 0, 1),
    'one number, a seed above 2^32': shaped(0.3, 2 ** 40 + 5, 1),
    'seven numbers': shaped(0.3, 1, 7),
    'nearly everything': shaped(0.9, 2 ** 32 + 5, 4, 65),
    'four dimensions, the largest seed': shaped(0.1, Number.MAX_SAFE_INTEGER, 2, 3, 5, 7),
    'a tail after whole vectors': shaped(0.9, 12, 1023),
    'nothing is dropped': shaped(0, 4, 9, 5),
    'everything is dropped': shaped(1, 1, 64, 4),
    'everything is dropped, NaN and infinity too': {
      ...shaped(1, 3, 5),
      values: { x: [1, Number.POSITIVE_INFINITY, Number.NaN, -2, 3] },
    },
    'numbers of ten thousand': { ...shaped(0.5, 6, 33), scale: 1e4 },
  },
  draw: (random) =>
    shaped(
      between(random, 0, 100) / 100,
      random.below(2 ** 30) * 2 ** random.below(24),
      ...extents(random, between(random, 1, 4), 7),
    ),
  large: shaped(0.5, 1, 2 ** 19),
  explain(call, at) {
    const { p, seed } = call.attrs
    const x = kept(call, 'x')
    const [value, index] = [read(x, at), flatIndex(at, x.shape)]
    const word = item(wordsOf(Math.floor(index / 4), { seed }), index % 4)
    const factor = stays(word, p) ? 1 / (1 - p) : 0
    return valued({
      formula: `y[${at.join(', ')}] = x · (0 where dropped, else 1 / (1 − p))`,
      names: ['x', 'factor'],
      terms: [{ a: value, b: factor, aAt: at, bAt: [] }],
      result: factor === 0 ? 0 : value * factor,
    })
  },
}
