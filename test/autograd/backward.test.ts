import { describe, expect, test } from 'vitest'
import { apply } from '../../src/autograd/apply.ts'
import {
  conv2d,
  crossEntropy,
  dropout,
  flatten,
  linear,
  maxPool2d,
  relu,
  softmax,
} from '../../src/autograd/functions.ts'
import { AutogradError, ShapeError } from '../../src/base/errors.ts'
import { linear as linearOp } from '../../src/ops/linear.ts'
import { gaussian, rounded } from '../../src/reference/random.ts'
import * as reference from '../../src/reference/table.ts'
import type { Engine, Tensor } from '../../src/tensor/tensor.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'

const engine: Engine = await testEngine()
const leaf = (shape: number[], seed: number, requiresGrad = true) =>
  engine.tensor(Float32Array.from(gaussian(shape, seed).data), shape, { requiresGrad })
const free = (...tensors: (Tensor | null)[]) => {
  for (const tensor of tensors) tensor?.dispose()
}

describe('gradients', () => {
  test('of a small network are those of the chain of references', async () => {
    const arrays = [[2, 3, 8, 8], [4, 3, 3, 3], [4], [5, 36], [5]].map((shape, i) =>
      rounded(gaussian(shape, i + 1)),
    )
    const [x, w1, b1, w2, b2] = arrays
    if (!x || !w1 || !b1 || !w2 || !b2) return
    const options = { stride: [1, 1], padding: [0, 0], groups: 1 } as const
    const pool = { kernel: [2, 2], stride: [2, 2], padding: [0, 0] } as const
    const targets = Int32Array.of(1, 4)
    const loss64 = { targets, weight: null, labelSmoothing: 0, reduction: 'mean' } as const
    const first = { x, weight: w1, bias: b1 }
    const c = reference.conv2d.forward(first, options)
    const r = reference.relu.forward({ x: c }, {})
    const p = reference.maxPool2d.forward({ x: r }, pool)
    const second = { x: { shape: [2, 36], data: p.data }, weight: w2, bias: b2 }
    const logits = reference.linear.forward(second, {})
    const one = { shape: [], data: Float64Array.of(1) }
    const dlogits = reference.crossEntropy.backward({ logits }, one, loss64).logits
    const top = reference.linear.backward(second, dlogits, {})
    const dp = { shape: p.shape, data: top.x.data }
    const dr = reference.maxPool2d.backward({ x: r }, dp, pool).x
    const dc = reference.relu.backward({ x: c }, dr, {}).x
    const bottom = reference.conv2d.backward(first, dc, options)
    const wanted = [bottom.x, bottom.weight, bottom.bias, top.weight, top.bias]

    const leaves = arrays.map(({ data, shape }) =>
      engine.tensor(Float32Array.from(data), shape, { requiresGrad: true }),
    )
    const [tx, tw1, tb1, tw2, tb2] = leaves as [Tensor, Tensor, Tensor, Tensor, Tensor]
    const loss = crossEntropy(
      linear(flatten(maxPool2d(relu(conv2d(tx, tw1, tb1)), pool)), tw2, tb2),
      targets,
    )
    loss.backward()
    for (const [i, { grad, shape }] of leaves.entries())
      expectClose((await grad?.data()) ?? [], wanted[i]?.data ?? [], shape, {
        absolute: 1e-6,
        name: `leaf ${i}`,
      })
    free(loss, ...leaves)
  })

  test('sum over every use of a tensor, also within one operator', async () => {
    const x = leaf([3, 3], 1)
    const y = linear(x, x, null) // x · xᵀ: the gradient of Σ is (1 · x) + (1 · x) row by row
    const dy = engine.tensor(new Float32Array(9).fill(1), [3, 3])
    y.backward(dy)
    const values = gaussian([3, 3], 1).data
    const column = (j: number) => [0, 1, 2].reduce((sum, i) => sum + (values[3 * i + j] ?? 0), 0)
    expectClose(
      (await x.grad?.data()) ?? [],
      Array.from({ length: 9 }, (_, i) => 2 * column(i % 3)),
      [3, 3],
    )
    free(x, y, dy)
  })

  test('meet again where paths part: a diamond', async () => {
    const x = leaf([1, 4], 2)
    const h = relu(x)
    const y = linear(softmax(h), relu(h), null) // softmax(h) · h, a single element
    y.backward()
    const data = gaussian([1, 4], 2).data
    const f = (v: Float64Array) => {
      const h = v.map((value) => Math.max(value, 0))
      const e = h.map(Math.exp)
      const total = e.reduce((sum, value) => sum + value, 0)
      return h.reduce((sum, value, i) => sum + (value * (e[i] ?? 0)) / total, 0)
    }
    const moved = (i: number, by: number) => f(data.map((value, j) => value + (i === j ? by : 0)))
    const numeric = Array.from(data, (_, i) => (moved(i, 1e-5) - moved(i, -1e-5)) / 2e-5)
    expectClose((await x.grad?.data()) ?? [], numeric, [1, 4], { absolute: 1e-6 })
    free(x, y)
  })

  test('add up over backward calls, and on a leaf backward adds dy', async () => {
    const x = engine.tensor(Float32Array.of(1, -1), [2], { requiresGrad: true })
    const dy = engine.tensor(Float32Array.of(2, 3), [2])
    for (let i = 0; i < 2; i++) {
      const y = relu(x)
      y.backward(dy)
      y.dispose()
    }
    x.backward(dy)
    x.backward(dy)
    expect([...((await x.grad?.data()) ?? [])]).toEqual([8, 6])
    expect([...(await dy.data())], 'dy itself is left as it was').toEqual([2, 3])
    free(x, dy)
  })

  test('are held for nothing that does not require one', () => {
    const [x, w1, w2] = [leaf([2, 3], 1, false), leaf([4, 3], 2, false), leaf([5, 4], 3)]
    const y = crossEntropy(linear(relu(linear(x, w1, null)), w2, null), Int32Array.of(0, 1))
    y.backward()
    expect([x.grad, w1.grad, w2.grad === null]).toEqual([null, null, false])
    free(x, w1, w2, y)
  })

  test('flow through five thousand layers', async () => {
    const x = engine.tensor(Float32Array.of(1, -1), [2], { requiresGrad: true })
    let y = relu(x)
    for (let i = 1; i < 5000; i++) y = relu(y)
    const dy = engine.tensor(Float32Array.of(3, 3), [2])
    y.backward(dy)
    expect([...((await x.grad?.data()) ?? [])]).toEqual([3, 0])
    free(x, y, dy)
  })
})

describe('what is freed, and when', () => {
  test('backward frees the intermediates it passes, and spares root and leaves', async () => {
    const before = engine.memory()
    const x = leaf([6], 1)
    const h = relu(x)
    const y = softmax(h)
    const dy = engine.tensor(new Float32Array(6).fill(1), [6])
    y.backward(dy)
    expect([h.disposed, y.disposed, x.disposed]).toEqual([true, false, false])
    await expect(async () => h.data()).rejects.toThrow(/freed by backward/)
    expect((await y.data()).length).toBe(6)
    free(x, y, dy)
    expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
  })

  test('a second backward over freed state says so', () => {
    const x = leaf([6], 1)
    const y = softmax(relu(x))
    const dy = engine.tensor(new Float32Array(6).fill(1), [6])
    y.backward(dy)
    expect(() => y.backward(dy)).toThrow(AutogradError)
    expect(() => y.backward(dy)).toThrow(/already passed through (softmax|relu).*forward again/)
    free(x, y, dy)
  })

  test('two results of one trunk: the second backward meets freed state, disposing of one spares the other', () => {
    const x = leaf([6], 1)
    const h = relu(x)
    const [a, b] = [softmax(h), relu(h)]
    a.dispose()
    const dy = engine.tensor(new Float32Array(6).fill(1), [6])
    b.backward(dy)
    expect(x.grad).not.toBe(null)
    const g = relu(x)
    const [c, d] = [softmax(g), relu(g)]
    c.backward(dy)
    expect(() => d.backward(dy)).toThrow(/already passed through relu/)
    free(x, h, b, c, d, dy)
  })

  test('disposing of a result that was never passed frees all that it kept', () => {
    const before = engine.memory()
    const x = leaf([2, 3, 8, 8], 1)
    const w = leaf([4, 3, 3, 3], 2)
    const y = maxPool2d(relu(conv2d(x, w, null)), { kernel: 2 })
    y.dispose()
    y.dispose()
    free(x, w)
    expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
  })

  test('noGrad records nothing', () => {
    const x = leaf([4], 1)
    const y = engine.noGrad(() => relu(x))
    expect([y.requiresGrad, y.node, engine.gradEnabled]).toEqual([false, null, true])
    expect(() => y.backward()).toThrow(/requires no gradient/)
    free(x, y)
  })

  test('features computed without a gradient are the caller’s, and serve twice', async () => {
    const [x, w] = [leaf([2, 3], 1, false), leaf([4, 3], 2)]
    const features = relu(x)
    for (let i = 0; i < 2; i++) {
      const loss = crossEntropy(linear(features, w, null), Int32Array.of(0, 1))
      loss.backward()
      loss.dispose()
    }
    expect((await features.data()).length).toBe(6)
    free(x, w, features)
  })
})

describe('a ReLU as an attribute of the operator before it', () => {
  test('is a step of its own on the tape, and frees what it kept', () => {
    const before = engine.memory()
    const [x, w, b] = [leaf([2, 3], 1), leaf([4, 3], 2), leaf([4], 3)]
    const dy = engine.tensor(new Float32Array(8).fill(1), [2, 4])
    const y = linear(x, w, b, { relu: true })
    y.backward(dy)
    expect([x.grad, w.grad, b.grad]).not.toContain(null)
    expect(() => y.backward(dy)).toThrow(/already passed through relu/)
    linear(x, w, b, { relu: true }).dispose() // never passed
    free(x, w, b, y, dy)
    expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
  })

  test('masks dy once, whatever gradients are wanted', async () => {
    for (const wanted of [
      [true, true, true],
      [false, false, true],
      [false, false, false],
    ] as const) {
      const [x, w, b] = [
        leaf([1, 2, 3, 3], 1, wanted[0]),
        leaf([2, 2, 2, 2], 2, wanted[1]),
        leaf([2], 3, wanted[2]),
      ]
      const recorder = engine.record()
      const y = conv2d(x, w, b, { relu: true })
      const dy = engine.tensor(new Float32Array(8).fill(1), [1, 2, 2, 2])
      if (y.requiresGrad) y.backward(dy)
      const { dispatches, calls } = await recorder.finish()
      const kernels = dispatches.map(({ kernel }) => kernel)
      expect(kernels).not.toContain('relu/forward.wgsl')
      const masks = kernels.filter((kernel) => kernel === 'relu/backward.wgsl')
      expect(masks.length).toBe(wanted.some((one) => one) ? 1 : 0)
      const backward = calls.filter(({ pass }) => pass === 'backward')
      expect(backward.map(({ operator }) => operator)).toEqual([
        ...masks.map(() => 'relu'),
        ...wanted.filter((one) => one).map(() => 'conv2d'),
      ])
      free(x, w, b, y, dy)
    }
  })
})

describe('what an operator is given', () => {
  test('a tensor for each input, null only for a bias', () => {
    const [x, w] = [leaf([1, 2], 1), leaf([3, 2], 2)]
    const nothing = null as unknown as Tensor
    expect(() => linear(nothing, w, null)).toThrow('linear: x is Null, and has to be a tensor')
    expect(() => linear(x, nothing, null)).toThrow(/^linear: weight is Null/)
    expect(() => relu(nothing)).toThrow(ShapeError)
    const y = linear(x, w, null)
    expect(y.shape).toEqual([1, 3])
    free(x, w, y)
  })

  test('dropout that drops nothing shares its memory', async () => {
    const x = leaf([3], 1)
    const before = engine.memory().liveBytes
    for (const [p, training] of [
      [0.5, false],
      [0, true],
    ] as const) {
      const y = dropout(x, p, { training })
      expect(engine.memory().liveBytes).toBe(before)
      expect(await y.data()).toEqual(await x.data())
      y.dispose()
    }
    expect(() => dropout(x, 2, { training: false })).toThrow(/p is a probability/)
    free(x)
  })
})

describe('what an error leaves behind', () => {
  const held = () => engine.memory().buffers

  test('nothing, where a second backward is refused', () => {
    const before = held()
    const x = leaf([6], 1)
    const y = softmax(relu(x))
    const dy = engine.tensor(new Float32Array(6), [6])
    y.backward(dy)
    expect(() => y.backward(dy)).toThrow(AutogradError)
    free(x, y, dy)
    expect(held()).toBe(before)
  })

  test('nothing, where an operator needs more at once than one binding while it computes', async () => {
    const low = await testEngine('auto', 16_384)
    const before = low.memory().buffers
    // The result is a few pixels, the plane of zeros between them and x larger than a binding.
    const [x, w] = [1, 2].map(() => low.tensor(Float32Array.of(1), [1, 1, 1, 1]))
    if (!x || !w) return
    if (low.gpu.tilings)
      expect(() => conv2d(x, w, null, { padding: 40, stride: 40 })).toThrow(ShapeError)
    free(x, w)
    expect(low.memory().buffers).toBe(before)
  })

  test('nothing but the leaves, where an operator fails in backward', () => {
    const before = held()
    const [x, w] = [leaf([2, 3], 1), leaf([4, 3], 2)]
    const refuse = () => {
      throw new ShapeError('refused')
    }
    const refusing: typeof linearOp = {
      ...linearOp,
      backward: { x: refuse, weight: refuse, bias: refuse },
    }
    const y = apply(refusing, { x: relu(x), weight: w, bias: null }, {})
    const dy = engine.tensor(new Float32Array(8), [2, 4])
    expect(() => y.backward(dy)).toThrow('refused')
    expect(engine.gpu.layer).toBe(null)
    free(x, w, y, dy)
    expect(held()).toBe(before)
  })

  test('nothing, where a scalar is flattened', () => {
    const before = held()
    const x = leaf([], 1)
    expect(() => flatten(x)).toThrow(ShapeError)
    free(x)
    expect(held()).toBe(before)
  })
})

describe('what backward refuses', () => {
  test('many elements without dy, another shape, nothing to differentiate', () => {
    const x = leaf([4], 1)
    const y = relu(x)
    const wrong = engine.tensor(new Float32Array(2), [2])
    expect(() => y.backward()).toThrow(ShapeError)
    expect(() => y.backward()).toThrow(/starts from a single element, not from \[4\]/)
    expect(() => y.backward(wrong)).toThrow(/dy has the shape \[2\], the tensor \[4\]/)
    expect(() => wrong.backward()).toThrow(AutogradError)
    free(x, y, wrong)
  })

  test('tensors of two engines, and disposed ones', async () => {
    const other = await testEngine('plain')
    const [x, w] = [leaf([1, 2], 1), other.tensor(Float32Array.of(1, 2), [1, 2])]
    expect(() => linear(x, w, null)).toThrow(/2 different engines/)
    x.dispose()
    expect(() => relu(x)).toThrow(/was disposed of/)
    w.dispose()
  })
})
