import { at } from '../../src/base/at.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { crossEntropy } from '../../src/ops/crossEntropy.ts'
import { localResponseNorm } from '../../src/ops/localResponseNorm.ts'
import { maxPool2d } from '../../src/ops/maxPool2d.ts'
import type { Buffers, Op } from '../../src/ops/op.ts'
import { relu } from '../../src/ops/relu.ts'
import { type NdArray, randomArray, sampleIndices, sizeOf } from '../arrays.ts'
import type { Case, Contestant, Contestants, Expected } from '../contest.ts'
import { deviceTime, onGraft, Room } from '../graft.ts'
import {
  competitorOf,
  onTfjs,
  type Tf,
  type TfBackend,
  type TfTensor,
  toNchw,
  toNhwc,
} from '../peers/tfjs.ts'
import { lazy, type Peers } from './common.ts'

/** An operator with one input, whose speed the memory limits. */
interface Unary<Attrs, Kept extends Buffers> {
  readonly name: string
  readonly op: Op<'x', Attrs, { readonly x: Kept }>
  readonly shape: readonly number[]
  readonly attrs: Attrs
  /** In tfjs, with channels last: forward of x, backward of (x, y, dy). */
  readonly tfjs: {
    forward(tf: Tf, x: TfTensor): TfTensor
    backward(tf: Tf, x: TfTensor, y: TfTensor, dy: TfTensor): TfTensor
  }
  /** Element `index` of y, or of dx. */
  readonly forwardAt: (x: NdArray, index: number) => number
  readonly backwardAt: (x: NdArray, dy: NdArray, index: number) => number
}

/**
 * For pow and exp in float32: WGSL allows errors of some units in the last place (section
 * 15.7.4.1); this is a few of them.
 */
const relative = 2e-5

function unaryCases<Attrs, Kept extends Buffers>(
  { name, op, shape, attrs, tfjs, forwardAt, backwardAt }: Unary<Attrs, Kept>,
  { engine, tf, backends }: Peers,
): Case[] {
  const outShape = op.outShape({ x: shape }, attrs)
  const arrays = lazy(() => ({ x: randomArray(shape, 1), dy: randomArray(outShape, 2) }))
  const graft = async (pass: 'forward' | 'backward'): Promise<Contestant> => {
    const room = new Room(engine)
    const [x, y] = [room.put(arrays().x), room.make(outShape)]
    const forward = (gpu: Gpu) => op.forward(gpu, { x }, y, attrs, { x: true })
    if (pass === 'forward') return onGraft(room, forward, y)
    const kept = room.keep((gpu) => forward(gpu).x)
    const [dy, dx] = [room.put(arrays().dy), room.make(shape)]
    return onGraft(room, (gpu) => op.backward.x(gpu, dy, dx, kept, attrs, { x: shape }), dx)
  }
  const { flops, bytes } = op.cost({ x: shape }, attrs)
  return (['forward', 'backward'] as const).map((pass): Case => {
    const contestants: Contestants = { graft: () => graft(pass) }
    if (tf)
      for (const backend of backends(
        pass === 'forward' ? ['webgpu', 'wasm', 'cpu'] : ['webgpu', 'cpu'],
        64 * flops,
      ))
        contestants[competitorOf[backend]] = async () => {
          const x = toNhwc(arrays().x)
          if (pass === 'forward')
            return onTfjs(tf, backend, [x], (a) => tfjs.forward(tf, a), toNchw)
          const y = await forwardOnTfjs(tf, backend, x, tfjs.forward)
          return onTfjs(
            tf,
            backend,
            [x, y, toNhwc(arrays().dy)],
            (a, b, c) => tfjs.backward(tf, a, b, c),
            toNchw,
          )
        }
    const expected = (): Expected[] => {
      const { x, dy } = arrays()
      return sampleIndices(sizeOf(pass === 'forward' ? outShape : shape)).map((index) => {
        const value = pass === 'forward' ? forwardAt(x, index) : backwardAt(x, dy, index)
        return { index, value, tolerance: relative * Math.max(Math.abs(value), 0.1) }
      })
    }
    // Backward reads x and dy, and writes dx.
    const moved = pass === 'forward' ? bytes : 4 * (2 * sizeOf(shape) + sizeOf(outShape))
    return {
      name,
      pass,
      shape: shape.join('x'),
      family: 'memory',
      flops,
      bytes: moved,
      expected,
      contestants,
    }
  })
}

async function forwardOnTfjs(
  tf: Tf,
  backend: TfBackend,
  x: NdArray,
  forward: (tf: Tf, x: TfTensor) => TfTensor,
): Promise<NdArray> {
  await tf.setBackend(backend)
  const given = tf.tensor(x.data, x.shape)
  const y = forward(tf, given)
  const result = { shape: y.shape, data: await y.data() }
  given.dispose()
  y.dispose()
  return result
}

/** A 3x3 max-pool with stride 2, as everywhere in AlexNet. */
export function poolCases(
  name: string,
  shape: readonly [number, number, number, number],
  peers: Peers,
): Case[] {
  const [, , height, width] = shape
  const [outHeight, outWidth] = [Math.floor((height - 3) / 2) + 1, Math.floor((width - 3) / 2) + 1]
  const winner = (x: NdArray, plane: number, i: number, j: number) => {
    let best = -1
    for (let u = 0; u < 3; u++)
      for (let v = 0; v < 3; v++) {
        const index = (plane * height + 2 * i + u) * width + 2 * j + v
        if (best < 0 || at(x.data, index) > at(x.data, best)) best = index
      }
    return best
  }
  const split = (index: number, h: number, w: number) =>
    [Math.floor(index / (h * w)), Math.floor(index / w) % h, index % w] as const
  return unaryCases(
    {
      name,
      op: maxPool2d,
      shape,
      attrs: { kernel: [3, 3], stride: [2, 2], padding: [0, 0] },
      tfjs: {
        forward: (tf, x) => tf.maxPool(x, 3, 2, 'valid'),
        backward: (tf, input, output, dy) =>
          tf
            .engine()
            .runKernel(
              'MaxPoolGrad',
              { dy, input, output },
              { filterSize: [3, 3], strides: [2, 2], pad: 'valid' },
            ),
      },
      forwardAt: (x, index) => at(x.data, winner(x, ...split(index, outHeight, outWidth))),
      backwardAt(x, dy, index) {
        const [plane, row, column] = split(index, height, width)
        let sum = 0
        for (let i = 0; i < outHeight; i++)
          for (let j = 0; j < outWidth; j++)
            if (
              Math.abs(2 * i + 1 - row) < 2 &&
              Math.abs(2 * j + 1 - column) < 2 &&
              winner(x, plane, i, j) === index
            )
              sum += at(dy.data, (plane * outHeight + i) * outWidth + j)
        return sum
      },
    },
    peers,
  )
}

/** LRN(5, 1e-4, 0.75, 1), as in Caffe's AlexNet. */
export function normCases(
  name: string,
  shape: readonly [number, number, number, number],
  peers: Peers,
): Case[] {
  const [, channels, height, width] = shape
  const pixels = height * width
  const [alpha, beta] = [1e-4 / 5, 0.75]
  const around = (index: number) => {
    const channel = Math.floor(index / pixels) % channels
    return [-2, -1, 0, 1, 2]
      .filter((d) => channel + d >= 0 && channel + d < channels)
      .map((d) => index + d * pixels)
  }
  const scaleAt = (x: NdArray, index: number) =>
    1 + alpha * around(index).reduce((sum, i) => sum + at(x.data, i) ** 2, 0)
  const tfAttrs = { depthRadius: 2, bias: 1, alpha, beta }
  return unaryCases(
    {
      name,
      op: localResponseNorm,
      shape,
      attrs: { size: 5, alpha: 1e-4, beta, k: 1 },
      tfjs: {
        forward: (tf, x) => tf.localResponseNormalization(x, 2, 1, alpha, beta),
        backward: (tf, x, y, dy) => tf.engine().runKernel('LRNGrad', { x, y, dy }, tfAttrs),
      },
      forwardAt: (x, index) => at(x.data, index) * scaleAt(x, index) ** -beta,
      backwardAt(x, dy, index) {
        const sum = around(index).reduce(
          (s, i) => s + at(dy.data, i) * at(x.data, i) * scaleAt(x, i) ** (-beta - 1),
          0,
        )
        return (
          at(dy.data, index) * scaleAt(x, index) ** -beta -
          2 * alpha * beta * at(x.data, index) * sum
        )
      },
    },
    peers,
  )
}

export function reluCases(
  name: string,
  shape: readonly [number, number, number, number],
  peers: Peers,
): Case[] {
  return unaryCases(
    {
      name,
      op: relu,
      shape,
      attrs: {},
      tfjs: { forward: (tf, x) => tf.relu(x), backward: (tf, x, _, dy) => tf.mul(dy, tf.step(x)) },
      forwardAt: (x, index) => Math.max(at(x.data, index), 0),
      backwardAt: (x, dy, index) => (at(x.data, index) > 0 ? at(dy.data, index) : 0),
    },
    peers,
  )
}

/** The loss of a batch and its gradient, together. */
export function crossEntropyCase(
  rows: number,
  classes: number,
  { engine, tf, backends }: Peers,
): Case {
  const logits = lazy(() => randomArray([rows, classes], 1))
  const targets = Int32Array.from({ length: rows }, (_, row) => (row * 7) % classes)
  const attrs = (room: Room) => ({
    targets: { storage: room.engine.gpu.upload(targets), shape: [rows] },
    weight: null,
    divisor: rows,
    labelSmoothing: 0,
    reduction: 'mean' as const,
  })
  const contestants: Contestants = {
    async graft() {
      const room = new Room(engine)
      const given = attrs(room)
      const [x, loss] = [room.put(logits()), room.make([])]
      const run = (gpu: Gpu) =>
        crossEntropy.forward(gpu, { logits: x }, loss, given, { logits: true })
      return {
        time: () => deviceTime(engine, (gpu) => gpu.withScratch(() => void run(gpu))),
        async values() {
          const { gpu } = engine
          const { gradient } = room.keep((g) => run(g).logits)
          const read = gpu.readLater([{ storage: gradient.storage, bytes: 4 * rows * classes }])
          gpu.submit()
          return new Float32Array(at(await read(), 0))
        },
        dispose() {
          given.targets.storage.release()
          room.dispose()
        },
      }
    },
  }
  if (tf)
    for (const backend of backends(['webgpu', 'wasm', 'cpu'], 64 * rows * classes))
      contestants[competitorOf[backend]] = () => {
        const hot = new Float32Array(rows * classes)
        for (const [row, target] of targets.entries()) hot[row * classes + target] = 1
        return onTfjs(tf, backend, [logits(), { shape: [rows, classes], data: hot }], (x, labels) =>
          tf.grad((l) => tf.losses.softmaxCrossEntropy(labels, l))(x),
        )
      }
  const expected = () =>
    sampleIndices(rows * classes).map((index) => {
      const row = Math.floor(index / classes)
      const values = Array.from(
        logits().data.subarray(row * classes, (row + 1) * classes),
        Math.exp,
      )
      const share = at(values, index % classes) / values.reduce((a, b) => a + b, 0)
      const value = (share - (index % classes === targets[row] ? 1 : 0)) / rows
      return { index, value, tolerance: relative * Math.max(Math.abs(value), 1e-3 / rows) }
    })
  return {
    name: 'cross-entropy',
    pass: 'loss and gradient',
    shape: `${rows}x${classes}`,
    family: 'memory',
    // a maximum, a difference, an exponential and a sum; a quotient, a share, a difference and a
    // product
    flops: 8 * rows * classes,
    bytes: 8 * rows * classes,
    expected,
    contestants,
  }
}
