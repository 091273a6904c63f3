import { at } from '../../src/base/at.ts'
import { type NdArray, randomArray } from '../arrays.ts'
import type { Case, Contestants, Expected } from '../contest.ts'
import { graftStep, initialWeights } from '../networks/graft.ts'
import { ortStep } from '../networks/ort.ts'
import { costOf, type Plan, type Task } from '../networks/plan.ts'
import { canRunPytorch, pytorchStep } from '../networks/pytorch.ts'
import { logitsOf } from '../networks/reference.ts'
import { tfjsStep } from '../networks/tfjs.ts'
import { competitorOf } from '../peers/tfjs.ts'
import { lazy, type Peers } from './common.ts'

/**
 * How much float32 logits may differ from float64's, relative to the largest: eight layers, each a
 * sum of up to 9,216 products whose rounding errors add up like a random walk, √9216 · 2^-24 each,
 * times two.
 */
const relative = 1e-4

/**
 * A whole inference and a whole training step (SGD with momentum, no dropout), from images on the
 * device to logits or loss on the host. The batch is two images repeated, so that a float64
 * reference is quick.
 */
export function networkCases(plan: Plan, batch: number, peers: Peers): Case[] {
  const { engine, tf } = peers
  const pair = lazy(() => randomArray([2, 3, plan.size, plan.size], 5))
  const targets = Int32Array.from({ length: batch }, (_, i) => (i % 2 ? 3 : 7))
  const weights = lazy(() => initialWeights(engine, plan))
  const logits = lazy(async () => logitsOf(pair(), await weights(), plan))
  return [false, true].map((training): Case => {
    const task = async (): Promise<Task> => ({
      plan,
      training,
      weights: await weights(),
      images: repeated(pair(), batch),
      targets,
    })
    const contestants: Contestants = { graft: async () => graftStep(engine, await task()) }
    if (tf)
      for (const backend of training ? (['webgpu'] as const) : (['webgpu', 'wasm'] as const))
        contestants[competitorOf[backend]] = async () => tfjsStep(tf, backend, engine, await task())
    if (peers.wanted && !training) contestants.ort = async () => ortStep(engine, await task())
    if (peers.wanted && canRunPytorch()) contestants.pytorch = async () => pytorchStep(await task())
    return {
      name: plan.variant,
      pass: training ? 'training step' : 'inference',
      shape: `${batch}x3x${plan.size}x${plan.size}`,
      family: training ? 'training' : 'inference',
      ...costOf(plan, batch, training),
      expected: async () =>
        training ? expectedLoss(await logits(), targets) : expectedLogits(await logits()),
      ...(training ? { note: 'tfjs wasm has no gradient of a convolution by its filter' } : {}),
      contestants,
    }
  })
}

function repeated({ shape, data }: NdArray, batch: number): NdArray {
  const [count, rest] = [at(shape, 0), shape.slice(1)]
  const one = data.length / count
  const result = new Float32Array(batch * one)
  for (let i = 0; i < batch; i++)
    result.set(data.subarray((i % count) * one, ((i % count) + 1) * one), i * one)
  return { shape: [batch, ...rest], data: result }
}

/** A few logits of the first two images. */
function expectedLogits(both: Float64Array): Expected[] {
  const classes = both.length / 2
  const tolerance = relative * Math.max(...both.map(Math.abs))
  return [0, 1, 2, classes - 1, classes, 2 * classes - 1].map((index) => ({
    index,
    value: at(both, index),
    tolerance,
  }))
}

/** The mean cross-entropy of the two images. */
export function expectedLoss(both: Float64Array, targets: Int32Array): Expected[] {
  const classes = both.length / 2
  const value = [0, 1].reduce((sum, row) => {
    const logits = both.subarray(row * classes, (row + 1) * classes)
    const highest = Math.max(...logits)
    const logSum = Math.log(logits.reduce((s, logit) => s + Math.exp(logit - highest), 0)) + highest
    return sum + (logSum - at(logits, at(targets, row))) / 2
  }, 0)
  return [{ index: 0, value, tolerance: relative * Math.max(value, ...both.map(Math.abs)) }]
}
