import { at } from '../../src/base/at.ts'
import { linear } from '../../src/ops/linear.ts'
import { type NdArray, permute, randomArray, sampleIndices, sizeOf } from '../arrays.ts'
import type { Case, Contestant, Contestants, Expected } from '../contest.ts'
import { inRoom, onGraft } from '../graft.ts'
import { onJax } from '../peers/jax.ts'
import { competitorOf, onTfjs, type Tf, type TfBackend, type TfTensor } from '../peers/tfjs.ts'
import { lazy, type Peers, sumTolerance } from './common.ts'

/** A fully connected layer. */
export interface DenseLayer {
  readonly name: string
  readonly batch: number
  readonly inputs: number
  readonly outputs: number
}

const passes = ['forward', 'input gradient', 'weight gradient'] as const
type Pass = (typeof passes)[number]

interface Arrays {
  readonly x: NdArray
  readonly weight: NdArray
  readonly bias: NdArray
  readonly dy: NdArray
}

export function denseCases(layer: DenseLayer, peers: Peers): Case[] {
  return passes.map((pass) => denseCase(layer, pass, peers))
}

/** A square matrix product: the forward pass of a layer. */
export function gemmCase(size: number, peers: Peers): Case {
  const wanted = denseCase(
    { name: `GEMM ${size}`, batch: size, inputs: size, outputs: size },
    'forward',
    peers,
  )
  return { ...wanted, family: 'gemm', pass: 'product' }
}

function denseCase(
  { name, batch, inputs, outputs }: DenseLayer,
  pass: Pass,
  { engine, tf, jax, backends }: Peers,
): Case {
  const shapes = {
    x: [batch, inputs],
    weight: [outputs, inputs],
    bias: [outputs],
    y: [batch, outputs],
  }
  const arrays = lazy(() => ({
    x: randomArray(shapes.x, 1),
    weight: randomArray(shapes.weight, 2),
    bias: randomArray(shapes.bias, 3),
    dy: randomArray(shapes.y, 4),
  }))
  const { flops, bytes } = linear.cost(shapes, {})
  const graft = async () =>
    inRoom(engine, (room) => {
      const { x, weight, bias, dy } = arrays()
      if (pass === 'forward') {
        const given = { x: room.put(x), weight: room.put(weight), bias: room.put(bias) }
        const y = room.make(shapes.y)
        return onGraft(
          room,
          (gpu) => linear.forward(gpu, given, y, {}, { x: true, weight: true, bias: true }),
          y,
        )
      }
      const given = room.put(dy)
      if (pass === 'input gradient') {
        const [kept, dx] = [{ weight: room.put(weight) }, room.make(shapes.x)]
        return onGraft(room, (gpu) => linear.backward.x(gpu, given, dx, kept, {}, shapes), dx)
      }
      const [kept, dweight] = [{ x: room.put(x) }, room.make(shapes.weight)]
      return onGraft(
        room,
        (gpu) => linear.backward.weight(gpu, given, dweight, kept, {}, shapes),
        dweight,
      )
    })
  const contestants: Contestants = { graft }
  if (tf)
    for (const backend of backends(['webgpu', 'wasm', 'cpu'], flops))
      contestants[competitorOf[backend]] = () => tfjsDense(tf, backend, pass, arrays())
  if (jax && pass === 'forward')
    contestants.jaxjs = () => {
      const { x, weight, bias } = arrays()
      return onJax(jax, [x, permute(weight, [1, 0]), bias], (a, w, b) =>
        jax.numpy.add(jax.numpy.matmul(a, w), b),
      )
    }
  return {
    name,
    pass,
    shape: `${batch}x${inputs} * ${outputs}x${inputs}`,
    family: 'dense',
    flops,
    bytes,
    expected: () => reference(pass, arrays()),
    contestants,
  }
}

/** tfjs keeps the weights of a dense layer as [in, out]. */
function tfjsDense(
  tf: Tf,
  backend: TfBackend,
  pass: Pass,
  { x, weight, bias, dy }: Arrays,
): Promise<Contestant> {
  const kernel = permute(weight, [1, 0])
  if (pass === 'forward')
    return onTfjs(tf, backend, [x, kernel, bias], (a: TfTensor, b: TfTensor, c: TfTensor) =>
      tf.fused.matMul({ a, b, bias: c }),
    )
  if (pass === 'input gradient')
    return onTfjs(tf, backend, [dy, kernel], (d: TfTensor, w: TfTensor) =>
      tf.matMul(d, w, false, true),
    )
  return onTfjs(
    tf,
    backend,
    [x, dy],
    (a: TfTensor, d: TfTensor) => tf.matMul(a, d, true, false),
    (result) => permute(result, [1, 0]),
  )
}

/** Some elements, computed in float64 by the definition. */
function reference(pass: Pass, { x, weight, bias, dy }: Arrays): Expected[] {
  const [batch, inputs] = [at(x.shape, 0), at(x.shape, 1)]
  const outputs = at(weight.shape, 0)
  const [rows, columns] =
    pass === 'forward'
      ? [batch, outputs]
      : pass === 'input gradient'
        ? [batch, inputs]
        : [outputs, inputs]
  return sampleIndices(sizeOf([rows, columns])).map((index) => {
    const [row, column] = [Math.floor(index / columns), index % columns]
    let [value, magnitude, terms] = [0, 0, 0]
    const add = (a: number, b: number) => {
      value += a * b
      magnitude += Math.abs(a * b)
      terms++
    }
    if (pass === 'forward') {
      add(at(bias.data, column), 1)
      for (let k = 0; k < inputs; k++)
        add(at(x.data, row * inputs + k), at(weight.data, column * inputs + k))
    } else if (pass === 'input gradient') {
      for (let k = 0; k < outputs; k++)
        add(at(dy.data, row * outputs + k), at(weight.data, k * inputs + column))
    } else
      for (let n = 0; n < batch; n++)
        add(at(dy.data, n * outputs + row), at(x.data, n * inputs + column))
    return { index, value, tolerance: sumTolerance(terms, magnitude) }
  })
}
