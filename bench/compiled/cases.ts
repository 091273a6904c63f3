/** What is compiled: whole training steps, and single products, each gone through without data. */

import type { Gpu } from '../../src/gpu/gpu.ts'
import { alexnet, crossEntropy, type Engine, SGD, type StateDict } from '../../src/index.ts'
import { conv2d } from '../../src/ops/conv2d.ts'
import { arrangeInput, geometry } from '../../src/ops/conv2dContractions.ts'
import { linear } from '../../src/ops/linear.ts'
import { allocate, type Shape4, sizeOf } from '../../src/tensor/ndbuffer.ts'
import { alexnet64, type Plan, recipe, torchvision } from '../networks/plan.ts'

/** Work that launches kernels. */
export interface Work {
  readonly name: string
  readonly launch: (gpu: Gpu) => void
}

/** The training steps of both networks: SGD with momentum, with their dropout. */
export async function trainingSteps(engine: Engine, quick: boolean): Promise<Work[]> {
  const batches = [1, 8, 32, 128]
  const steps: Work[] = []
  for (const [plan, quickBatch] of [
    [alexnet64, 8],
    [torchvision, 32],
  ] as const) {
    const model = await alexnet(engine, {
      variant: plan.variant,
      weights: await zeros(engine, plan),
    })
    const optimizer = new SGD(model.parameters(), recipe)
    for (const batch of quick ? [quickBatch] : batches)
      steps.push({
        name: `${plan.variant} ${batch}`,
        launch() {
          const shape = [batch, 3, plan.size, plan.size]
          const x = engine.tensor(new Float32Array(sizeOf(shape)), shape)
          const loss = crossEntropy(model.forward(x, { training: true }), new Int32Array(batch))
          loss.backward()
          optimizer.step()
          optimizer.zeroGrad()
        },
      })
  }
  return steps
}

/** Weights that take no time to make: what is compiled does not depend on them. */
async function zeros(engine: Engine, { variant }: Plan): Promise<StateDict> {
  const model = await alexnet(engine, { variant })
  const entries = model
    .parameters()
    .map(({ name, shape }) => [name, { shape: [...shape], data: new Float32Array(sizeOf(shape)) }])
  model.dispose()
  return Object.fromEntries(entries)
}

type Layer = readonly [name: string, channels: number, extent: number, out: number, kernel: number]

/** torchvision's convolutions after the first. */
const layers: readonly Layer[] = [
  ['conv2', 64, 27, 192, 5],
  ['conv3', 192, 13, 384, 3],
  ['conv4', 384, 13, 256, 3],
  ['conv5', 256, 13, 256, 3],
]

/** Large products: those that a step spends its time in. */
export function products(): Work[] {
  return [...[1024, 2048].map(gemm), ...layers.flatMap((layer) => convolution(layer, 32))]
}

const needs = { x: true, weight: true, bias: true }

function gemm(size: number): Work {
  return {
    name: `GEMM ${size}`,
    launch(gpu) {
      const square = () => allocate(gpu, [size, size])
      const given = { x: square(), weight: square(), bias: allocate(gpu, [size]) }
      gpu.withScratch(() => linear.forward(gpu, given, square(), {}, needs))
    },
  }
}

/** The three passes of a convolution that keeps its images' size. */
function convolution([name, channels, extent, out, kernel]: Layer, batch: number): Work[] {
  const shapes = {
    x: [batch, channels, extent, extent] as Shape4,
    weight: [out, channels, kernel, kernel] as Shape4,
    bias: [out],
  }
  const result: Shape4 = [batch, out, extent, extent]
  const attrs = {
    stride: [1, 1] as const,
    padding: [(kernel - 1) / 2, (kernel - 1) / 2] as const,
    groups: 1,
  }
  const work = (pass: string, body: (gpu: Gpu) => void): Work => ({
    name: `${name} b${batch} ${pass}`,
    launch: (gpu) => gpu.withScratch(() => body(gpu)),
  })
  return [
    work('forward', (gpu) => {
      const [x, weight] = [allocate(gpu, shapes.x), allocate(gpu, shapes.weight)]
      const given = { x, weight, bias: allocate(gpu, shapes.bias) }
      conv2d.forward(gpu, given, allocate(gpu, result), attrs, needs)
    }),
    work('input gradient', (gpu) => {
      const weight = allocate(gpu, shapes.weight)
      const [dy, dx] = [allocate(gpu, result), allocate(gpu, shapes.x)]
      conv2d.backward.x(gpu, dy, dx, { weight }, attrs, shapes)
    }),
    work('weight gradient', (gpu) => {
      const extents = geometry(shapes.x, shapes.weight, attrs)
      const x = arrangeInput(gpu, extents, allocate(gpu, shapes.x))
      const [dy, dweight] = [allocate(gpu, result), allocate(gpu, shapes.weight)]
      conv2d.backward.weight(gpu, dy, dweight, { x }, attrs, shapes)
    }),
  ]
}
