import { concat as op } from '../ops/concat.ts'
import { exact } from './agreement.ts'
import { kept, NotKept, read, valued } from './explanation.ts'
import { at, item, type NdArray, ndArray, sizeOf, zeros } from './ndarray.ts'
import { between, extents } from './random.ts'
import type { Arrays, Case, Specification } from './specification.ts'

type Inputs = Arrays<'a', 'b' | 'c' | 'd'>

const names = ['a', 'b', 'c', 'd'] as const

/** The tensors that are given, each with where its values begin in an image of y. */
function parts(inputs: Inputs): { name: (typeof names)[number]; array: NdArray; first: number }[] {
  let first = 0
  return names.flatMap((name) => {
    const array = inputs[name]
    if (!array) return []
    const part = { name, array, first }
    first += sizeOf(array.shape.slice(1))
    return [part]
  })
}

/** y[n] = the channels of a[n], then those of b[n], …   (torch.cat(…, dim=1)) */
function concat(inputs: Inputs): NdArray {
  const all = parts(inputs)
  const [n = 0, , ...rest] = inputs.a.shape
  const channels = all.reduce((sum, { array }) => sum + item(array.shape, 1), 0)
  const y = zeros([n, channels, ...rest])
  const image = sizeOf(y.shape.slice(1))
  for (const { array, first } of all) {
    const own = sizeOf(array.shape.slice(1))
    for (let i = 0; i < n; i++)
      y.data.set(array.data.subarray(i * own, (i + 1) * own), i * image + first)
  }
  return y
}

/** What comes in for each tensor is the part of dy that it became. */
function concatBackward(inputs: Inputs, dy: NdArray) {
  const image = sizeOf(dy.shape.slice(1))
  const gradients = parts(inputs).map(({ name, array, first }) => {
    const own = sizeOf(array.shape.slice(1))
    const values = array.data.map((_, i) => {
      const n = Math.floor(i / own)
      return at(dy.data, n * image + first + i - n * own)
    })
    return [name, ndArray(values, array.shape)] as const
  })
  return Object.fromEntries(gradients) as Record<(typeof names)[number], NdArray>
}

/** Tensors of n images with these channels each. */
function shaped(
  n: number,
  channels: readonly number[],
  ...rest: readonly number[]
): Case<Inputs, object> {
  const shape = (own?: number) => (own === undefined ? null : [n, own, ...rest])
  const [, b, c, d] = channels
  const a = [n, item(channels, 0), ...rest]
  return { shapes: { a, b: shape(b), c: shape(c), d: shape(d) }, attrs: {} }
}

export const specification: Specification<Inputs, object> = {
  op,
  kernels: ['fast'],
  forward: (inputs) => concat(inputs),
  backward: (inputs, dy) => concatBackward(inputs, dy),
  tolerance: { reason: 'Values are copied, not computed.', of: () => exact },
  edges: {
    'two, of other widths': { ...shaped(2, [1, 2], 3, 2), differences: true },
    'one alone': shaped(2, [3], 2, 2),
    four: shaped(3, [2, 1, 4, 3], 5),
    'two rows, no more dimensions': shaped(4, [3, 2]),
    'whole vectors': shaped(2, [4, 8, 4], 2, 2),
    'a second that begins within a vector': shaped(2, [1, 8], 3, 1),
    'one pixel each': shaped(1, [1, 1], 1, 1),
    'rows longer than a workgroup takes': shaped(1, [2, 3], 67, 41),
  },
  draw: (random) =>
    shaped(
      between(random, 1, 4),
      Array.from({ length: between(random, 1, 4) }, () => between(random, 1, 6)),
      ...extents(random, between(random, 0, 2), 7),
    ),
  large: shaped(8, [64, 64], 56, 56),
  explain(call, position) {
    const [n, channel, ...rest] = [item(position, 0), item(position, 1), ...position.slice(2)]
    let before = 0
    for (const name of names) {
      const tensor = call.tensors[name]
      if (!tensor) continue
      const own = item(tensor.shape, 1)
      if (channel < before + own) {
        const place = [n, channel - before, ...rest]
        const value = read(kept(call, name), place)
        return valued({
          formula: `y[${position.join(', ')}] = ${name}[${place.join(', ')}]`,
          names: [name, ''],
          terms: [{ a: value, b: 1, aAt: place, bAt: [] }],
          result: value,
        })
      }
      before += own
    }
    throw new NotKept(`the tensors have ${before} channels, and none is ${channel}`)
  },
}
