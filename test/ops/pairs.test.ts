import fc from 'fast-check'
import { describe, test } from 'vitest'
import { conv2d, maxPool2d } from '../../src/autograd/functions.ts'
import { conv2dBackward, conv2d as reference } from '../../src/reference/conv2d.ts'
import { four, type NdArray, zeros } from '../../src/reference/ndarray.ts'
import { gaussian, rounded } from '../../src/reference/random.ts'
import type { Pair } from '../../src/tensor/ndbuffer.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { expectClose, sumTolerance } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'

/**
 * Row (y, x) of a plane moved to (y · scale[0] + shift[0], x · scale[1] + shift[1]) of another;
 * what falls outside is lost.
 */
function place(from: NdArray, extents: Pair, scale: Pair, shift: Pair): NdArray {
  const [n, c, h, w] = four(from.shape)
  const to = zeros([n, c, ...extents])
  for (let i = 0; i < from.data.length; i++) {
    const y = (Math.floor(i / w) % h) * scale[0] + shift[0]
    const x = (i % w) * scale[1] + shift[1]
    if (y >= 0 && x >= 0 && y < extents[0] && x < extents[1])
      to.data[(Math.floor(i / w / h) * extents[0] + y) * extents[1] + x] =
        from.data[i] ?? Number.NaN
  }
  return to
}

/** The other way: every scale-th element from shift on. */
function pick(from: NdArray, extents: Pair, scale: Pair, shift: Pair): NdArray {
  const [n, c, h, w] = four(from.shape)
  const to = zeros([n, c, ...extents])
  for (let i = 0; i < to.data.length; i++) {
    const y = (Math.floor(i / extents[1]) % extents[0]) * scale[0] + shift[0]
    const x = (i % extents[1]) * scale[1] + shift[1]
    to.data[i] = from.data[(Math.floor(i / extents[1] / extents[0]) * h + y) * w + x] ?? Number.NaN
  }
  return to
}

const outputs = ([h, w]: Pair, [kh, kw]: Pair, stride: Pair, padding: Pair): Pair => [
  Math.floor((h + 2 * padding[0] - kh) / stride[0]) + 1,
  Math.floor((w + 2 * padding[1] - kw) / stride[1]) + 1,
]

const pairOf = (min: number, max: number) =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }))
const fits = (size: Pair, kernel: Pair, padding: Pair) =>
  size.every((extent, i) => extent + 2 * (padding[i] ?? 0) >= (kernel[i] ?? 0))

async function gradientOf(
  y: Tensor,
  dy: NdArray,
  leaves: readonly Tensor[],
): Promise<Float32Array[]> {
  const gradient = y.engine.tensor(Float32Array.from(dy.data), dy.shape)
  y.backward(gradient)
  const data = await y.engine.read(leaves.flatMap(({ grad }) => (grad ? [grad] : [])))
  for (const tensor of [gradient, y, ...leaves]) tensor.dispose()
  return data
}

describe('height and width have strides and paddings of their own', () => {
  test.each(['auto', 'plain'] as const)(
    'conv2d, %s kernels: as the reference of stride 1 over the padded image',
    async (kernels) => {
      const engine = await testEngine(kernels)
      const property = fc.asyncProperty(
        pairOf(1, 9),
        pairOf(1, 4),
        pairOf(1, 4),
        pairOf(0, 3),
        fc.integer({ min: 1, max: 2 }),
        async (size, kernel, stride, padding, groups) => {
          fc.pre(fits(size, kernel, padding))
          const x = rounded(gaussian([2, 2 * groups, ...size], 1))
          const weight = rounded(gaussian([3 * groups, 2, ...kernel], 2))
          const padded: Pair = [size[0] + 2 * padding[0], size[1] + 2 * padding[1]]
          const plain = { stride: [1, 1], padding: [0, 0], groups } as const
          const wide = place(x, padded, [1, 1], padding)
          const all = reference(wide, weight, null, plain)
          const extents = outputs(size, kernel, stride, padding)
          const dy = rounded(gaussian([2, 3 * groups, ...extents], 3))
          const [, , oh, ow] = four(all.shape)
          const wanted = conv2dBackward(wide, weight, place(dy, [oh, ow], stride, [0, 0]), plain)

          const leaves = [x, weight].map(({ data, shape }) =>
            engine.tensor(Float32Array.from(data), shape, { requiresGrad: true }),
          )
          const y = conv2d(leaves[0] as Tensor, leaves[1] as Tensor, null, {
            stride,
            padding,
            groups,
          })
          const terms = 2 * 81 * 3
          const tolerance = {
            relative: sumTolerance(terms),
            absolute: sumTolerance(terms) * Math.sqrt(terms),
          }
          expectClose(await y.data(), pick(all, extents, stride, [0, 0]).data, dy.shape, {
            ...tolerance,
            name: 'y',
          })
          const [dx = [], dweight = []] = await gradientOf(y, dy, leaves)
          expectClose(dx, pick(wanted.dx, size, [1, 1], padding).data, x.shape, {
            ...tolerance,
            name: 'dx',
          })
          expectClose(dweight, wanted.dweight.data, weight.shape, { ...tolerance, name: 'dweight' })
        },
      )
      await fc.assert(property, { numRuns: 25, seed: 11, endOnFailure: true })
    },
  )

  test('maxPool2d: every window by hand', async () => {
    const engine = await testEngine()
    const property = fc.asyncProperty(
      pairOf(1, 9),
      pairOf(1, 4),
      pairOf(1, 4),
      pairOf(0, 2),
      async (size, kernel, stride, padding) => {
        fc.pre(fits(size, kernel, padding) && padding.every((p, i) => 2 * p <= (kernel[i] ?? 0)))
        const x = rounded(gaussian([1, 3, ...size], 4))
        const extents = outputs(size, kernel, stride, padding)
        const dy = rounded(gaussian([1, 3, ...extents], 5))
        const y = zeros(dy.shape)
        const dx = zeros(x.shape)
        for (let i = 0; i < y.data.length; i++) {
          const plane = Math.floor(i / extents[0] / extents[1])
          let best = -1
          for (let v = 0; v < kernel[0] * kernel[1]; v++) {
            const row =
              (Math.floor(i / extents[1]) % extents[0]) * stride[0] -
              padding[0] +
              Math.floor(v / kernel[1])
            const column = (i % extents[1]) * stride[1] - padding[1] + (v % kernel[1])
            if (row < 0 || column < 0 || row >= size[0] || column >= size[1]) continue
            const here = (plane * size[0] + row) * size[1] + column
            if (best < 0 || (x.data[here] ?? 0) > (x.data[best] ?? 0)) best = here
          }
          y.data[i] = x.data[best] ?? Number.NaN
          dx.data[best] = (dx.data[best] ?? 0) + (dy.data[i] ?? Number.NaN)
        }
        const leaf = engine.tensor(Float32Array.from(x.data), x.shape, { requiresGrad: true })
        const pooled = maxPool2d(leaf, { kernel, stride, padding })
        expectClose(await pooled.data(), y.data, y.shape, { relative: 0, name: 'y' })
        const [actual = []] = await gradientOf(pooled, dy, [leaf])
        expectClose(actual, dx.data, x.shape, { relative: 1e-6, name: 'dx' })
      },
    )
    await fc.assert(property, { numRuns: 25, seed: 12, endOnFailure: true })
  })
})
