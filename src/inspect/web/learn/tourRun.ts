/**
 * One convolution in four ways, from a thread for each output to the engine's own choice, measured
 * on the browser's GPU.
 */
import { conv2d } from '../../../autograd/functions.ts'
import { createEngineOn } from '../../../createEngine.ts'
import type { BlockTiling, Tiling } from '../../../gpu/tiling/tiling.ts'
import { relativeError } from '../../../reference/agreement.ts'
import { conv2d as reference } from '../../../reference/conv2d.ts'
import { gaussian } from '../../../reference/random.ts'
import type { Engine } from '../../../tensor/tensor.ts'
import { pageHost } from '../host.ts'
import { inspection } from '../model.ts'

/** AlexNet's second convolution, at half its width. */
export const shapes = { x: [1, 32, 27, 27], weight: [96, 32, 5, 5], padding: 2 } as const
export const flops = 2 * 96 * 27 * 27 * 32 * 25

export interface Step {
  readonly name: string
  readonly why: string
  /** How often a number is used once it is fetched. */
  readonly uses: string
  /** Where the kernel can be edited. */
  readonly file: string
  readonly tiling: Tiling | 'plain' | 'chosen'
}

const block = (rows: number, columns: number): BlockTiling => ({
  kernel: 'block',
  rows,
  columns,
  depth: 32,
  threadRows: 4,
  threadColumns: 4,
  steps: 1,
  splits: 1,
})

export const steps: readonly Step[] = [
  {
    name: 'A thread for each output',
    uses: '1',
    why: `The formula as it is written. Every product loads a weight and a pixel from memory, and
      uses each of them once.`,
    file: 'conv2d/forward.wgsl',
    tiling: 'plain',
  },
  {
    name: 'Tiles of 16 x 64 in shared memory',
    uses: '16 and 64',
    why: `A workgroup loads a strip of weights and a strip of pixels together. Each weight then
      serves 64 outputs and each pixel 16; each thread keeps 4 x 4 sums in registers.`,
    file: 'contract/block.wgsl',
    tiling: block(16, 64),
  },
  {
    name: 'Tiles of 64 x 64',
    uses: '64',
    why: `The same kernel with a larger tile: every loaded number serves 64 outputs, so the same
      work needs fewer loads.`,
    file: 'contract/block.wgsl',
    tiling: block(64, 64),
  },
  {
    name: 'The tiling that the engine chooses here',
    uses: 'by adapter',
    why: `The tiling that was measured, or is the default, for this kind of adapter: on a CPU
      register tiles without barriers, on a GPU the block that keeps it busiest.`,
    file: 'contract/tile.wgsl',
    tiling: 'chosen',
  },
]

export interface Measured {
  /** Of all dispatches, with arranging the input and packing the weights. */
  readonly milliseconds: number
  /** Against float64. */
  readonly error: number
  readonly kernels: readonly string[]
}

/** Measures the steps one after the other, the best of a few runs each. */
export async function measureSteps(
  onStep: (index: number, measured: Measured) => void,
): Promise<void> {
  const host = pageHost(new Map(Object.entries(inspection.shaders)))
  const [x, weight] = [gaussian(shapes.x, 1), gaussian(shapes.weight, 2)]
  const expected = reference(x, weight, null, {
    stride: [1, 1],
    padding: [shapes.padding, shapes.padding],
    groups: 1,
  }).data
  const fast = await createEngineOn(host)
  const plain = await createEngineOn(host, { kernels: 'plain' })
  try {
    for (const [index, { tiling }] of steps.entries()) {
      const engine = tiling === 'plain' ? plain : fast
      if (engine.gpu.tilings)
        engine.gpu.tilings.override = typeof tiling === 'string' ? null : () => tiling
      onStep(
        index,
        await measure(engine, Float32Array.from(x.data), Float32Array.from(weight.data), expected),
      )
    }
  } finally {
    plain.dispose()
    fast.dispose()
  }
}

async function measure(
  engine: Engine,
  pixels: Float32Array,
  weights: Float32Array,
  expected: Float64Array,
): Promise<Measured> {
  const [x, weight] = [engine.tensor(pixels, shapes.x), engine.tensor(weights, shapes.weight)]
  let best: Measured | null = null
  for (let run = 0; run < 4; run++) {
    const recorder = engine.record()
    const startedAt = performance.now()
    const y = engine.noGrad(() => conv2d(x, weight, null, { padding: shapes.padding }))
    const { dispatches, milliseconds } = await recorder.finish()
    // Without timestamps, wall time.
    const took = milliseconds ?? performance.now() - startedAt
    if (!best || took < best.milliseconds)
      best = {
        milliseconds: took,
        error: relativeError(await y.data(), expected),
        kernels: [...new Set(dispatches.map(({ kernel }) => kernel))],
      }
    y.dispose()
  }
  for (const tensor of [x, weight]) tensor.dispose()
  if (!best) throw new Error('nothing was measured')
  return best
}
