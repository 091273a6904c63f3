import { at } from '../../src/base/at.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { conv2d } from '../../src/ops/conv2d.ts'
import { type NdArray, randomArray, sampleIndices, sizeOf } from '../arrays.ts'
import type { Case, Contestant, Contestants, Expected } from '../contest.ts'
import { inRoom, onGraft } from '../graft.ts'
import { onJax } from '../peers/jax.ts'
import {
  competitorOf,
  onTfjs,
  type Tf,
  type TfBackend,
  type TfTensor,
  toHwio,
  toNchw,
  toNhwc,
  toOihw,
} from '../peers/tfjs.ts'
import { lazy, type Peers, sumTolerance } from './common.ts'

/** A convolution layer. */
export interface ConvLayer {
  readonly name: string
  readonly batch: number
  readonly channels: number
  readonly extent: number
  readonly out: number
  readonly kernel: number
  readonly stride: number
  readonly padding: number
  readonly groups?: number
}

const passes = ['forward', 'input gradient', 'weight gradient'] as const

/** The three passes of a layer. */
export function convCases(layer: ConvLayer, peers: Peers): Case[] {
  return passes.map((pass) => convCase(layer, pass, peers))
}

function convCase(
  layer: ConvLayer,
  pass: (typeof passes)[number],
  { engine, tf, jax, backends }: Peers,
): Case {
  const { batch, channels, extent, out, kernel, stride, padding, groups = 1 } = layer
  const outExtent = Math.floor((extent + 2 * padding - kernel) / stride) + 1
  const shapes = {
    x: [batch, channels, extent, extent],
    weight: [out, channels / groups, kernel, kernel],
    bias: [out],
    y: [batch, out, outExtent, outExtent],
  }
  const attrs = { stride: [stride, stride], padding: [padding, padding], groups } as const
  const arrays = lazy(() => ({
    x: randomArray(shapes.x, 1),
    weight: randomArray(shapes.weight, 2),
    bias: randomArray(shapes.bias, 3),
    dy: randomArray(shapes.y, 4),
  }))
  const { flops, bytes } = conv2d.cost(shapes, attrs)
  const graft = async () =>
    inRoom(engine, (room) => {
      const { x, weight, bias, dy } = arrays()
      const inputs = { x: room.put(x), weight: room.put(weight), bias: room.put(bias) }
      const y = room.make(shapes.y)
      const forward = (gpu: Gpu) =>
        conv2d.forward(gpu, inputs, y, attrs, { x: true, weight: true, bias: true })
      if (pass === 'forward') return onGraft(room, forward, y)
      const given = room.put(dy)
      if (pass === 'input gradient') {
        const [kept, dx] = [room.keep((gpu) => forward(gpu).x), room.make(shapes.x)]
        return onGraft(room, (gpu) => conv2d.backward.x(gpu, given, dx, kept, attrs, shapes), dx)
      }
      const [kept, dweight] = [room.keep((gpu) => forward(gpu).weight), room.make(shapes.weight)]
      return onGraft(
        room,
        (gpu) => conv2d.backward.weight(gpu, given, dweight, kept, attrs, shapes),
        dweight,
      )
    })
  const contestants: Contestants = { graft }
  if (tf && groups === 1)
    for (const backend of backends(
      pass === 'weight gradient' ? ['webgpu', 'cpu'] : ['webgpu', 'wasm', 'cpu'],
      flops,
    ))
      contestants[competitorOf[backend]] = () =>
        tfjsConv(tf, backend, pass, arrays(), stride, padding)
  if (jax && pass === 'forward' && groups === 1)
    contestants.jaxjs = () => {
      const { x, weight, bias } = arrays()
      const pad = [padding, padding] as const
      return onJax(jax, [x, weight, { ...bias, shape: [out, 1, 1] }], (a, w, b) =>
        jax.numpy.add(jax.lax.convGeneralDilated(a, w, [stride, stride], [pad, pad]), b),
      )
    }
  return {
    name: layer.name,
    pass,
    shape:
      `${shapes.x.join('x')} * ${shapes.weight.join('x')} s${stride} p${padding}` +
      (groups > 1 ? ` g${groups}` : ''),
    family: 'conv',
    flops,
    bytes,
    expected: () => reference(layer, pass, arrays()),
    contestants,
    ...(groups > 1 ? { note: 'tfjs has no grouped convolution' } : {}),
  }
}

interface Arrays {
  readonly x: NdArray
  readonly weight: NdArray
  readonly bias: NdArray
  readonly dy: NdArray
}

function tfjsConv(
  tf: Tf,
  backend: TfBackend,
  pass: (typeof passes)[number],
  { x, weight, bias, dy }: Arrays,
  stride: number,
  pad: number,
): Promise<Contestant> {
  const attrs = { strides: [stride, stride], pad, dataFormat: 'NHWC', dimRoundingMode: 'floor' }
  const [nhwc, hwio, gradient] = [toNhwc(x), toHwio(weight), toNhwc(dy)]
  if (pass === 'forward') {
    const run = (a: TfTensor, filter: TfTensor, b: TfTensor) =>
      tf.fused.conv2d({ x: a, filter, bias: b, ...attrs })
    return onTfjs(tf, backend, [nhwc, hwio, bias], run, toNchw)
  }
  if (pass === 'input gradient') {
    const run = (d: TfTensor, filter: TfTensor) =>
      tf
        .engine()
        .runKernel('Conv2DBackpropInput', { dy: d, filter }, { ...attrs, inputShape: nhwc.shape })
    return onTfjs(tf, backend, [gradient, hwio], run, toNchw)
  }
  const run = (a: TfTensor, d: TfTensor) =>
    tf
      .engine()
      .runKernel('Conv2DBackpropFilter', { x: a, dy: d }, { ...attrs, filterShape: hwio.shape })
  return onTfjs(tf, backend, [nhwc, gradient], run, toOihw)
}

/** The four extents of an array of images or filters. */
function extents(shape: readonly number[]): readonly [number, number, number, number] {
  return [at(shape, 0), at(shape, 1), at(shape, 2), at(shape, 3)]
}

/** Some elements, computed in float64 by the definition. */
function reference(
  { groups = 1, stride, padding }: ConvLayer,
  pass: (typeof passes)[number],
  { x, weight, bias, dy }: Arrays,
): Expected[] {
  const [batch, channels] = extents(x.shape)
  const [out, depth, kernelHeight, kernelWidth] = extents(weight.shape)
  const [, , outHeight, outWidth] = extents(dy.shape)
  const outPerGroup = out / groups
  /** An element, or the 0 of the padding. */
  const element = ({ shape, data }: NdArray, n: number, c: number, i: number, j: number) => {
    const [, C, H, W] = extents(shape)
    return i < 0 || j < 0 || i >= H || j >= W ? 0 : at(data, ((n * C + c) * H + i) * W + j)
  }
  const result = pass === 'forward' ? dy.shape : pass === 'input gradient' ? x.shape : weight.shape
  return sampleIndices(sizeOf(result)).map((index) => {
    const [, C, H, W] = extents(result)
    const [j, i, c, n] = [
      index % W,
      Math.floor(index / W) % H,
      Math.floor(index / (W * H)) % C,
      Math.floor(index / (W * H * C)),
    ]
    let [value, terms, magnitude] = [0, 0, 0]
    const add = (a: number, b: number) => {
      value += a * b
      magnitude += Math.abs(a * b)
      terms++
    }
    if (pass === 'forward') {
      add(at(bias.data, c), 1)
      const first = Math.floor(c / outPerGroup) * depth
      for (let d = 0; d < depth; d++)
        for (let u = 0; u < kernelHeight; u++)
          for (let v = 0; v < kernelWidth; v++)
            add(
              element(x, n, first + d, i * stride + u - padding, j * stride + v - padding),
              element(weight, c, d, u, v),
            )
    } else if (pass === 'input gradient') {
      const group = Math.floor(c / (channels / groups))
      for (let o = group * outPerGroup; o < (group + 1) * outPerGroup; o++)
        for (let u = 0; u < kernelHeight; u++)
          for (let v = 0; v < kernelWidth; v++) {
            const [p, q] = [i + padding - u, j + padding - v]
            if (p % stride === 0 && q % stride === 0)
              add(
                element(dy, n, o, p / stride, q / stride),
                element(weight, o, c - group * depth, u, v),
              )
          }
    } else {
      const channel = Math.floor(n / outPerGroup) * depth + c // n is the filter here
      for (let m = 0; m < batch; m++)
        for (let p = 0; p < outHeight; p++)
          for (let q = 0; q < outWidth; q++)
            add(
              element(x, m, channel, p * stride + i - padding, q * stride + j - padding),
              element(dy, m, n, p, q),
            )
    }
    return { index, value, tolerance: sumTolerance(terms, magnitude) }
  })
}
