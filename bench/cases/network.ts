import { alexnet, crossEntropy, type Network, SGD, type StateDict } from '../../src/index.ts'
import { type NdArray, permute, randomArray, sizeOf } from '../arrays.ts'
import type { Case, Contestant } from '../contest.ts'
import { type MemoryMeter, meterFor } from '../memory.ts'
import { competitorOf, type TfBackend, type TfTensor, toHwio, toNhwc } from '../peers/tfjs.ts'
import { lazy, type Peers } from './common.ts'
import { logitsOf } from './reference.ts'

export interface NetworkChoice {
  readonly variant: 'torchvision' | 'alexnet-64'
  readonly batch: number
}

/** AlexNet's plan: which convolutions are pooled, with which stride and padding; the rest is in the weights' shapes. */
export const plans = {
  torchvision: { size: 224, stride: [4, 1, 1, 1, 1], padding: [2, 2, 1, 1, 1], pooled: [true, true, false, false, true] },
  'alexnet-64': { size: 64, stride: [2, 1, 1, 1, 1], padding: [2, 2, 1, 1, 1], pooled: [true, true, false, false, true] },
} as const
export const convolutions = [0, 3, 6, 8, 10].map((n) => `features.${n}`)
export const dense = [1, 4, 6].map((n) => `classifier.${n}`)
const lr = 1e-3

/** Most bytes allocated by each side during a step, for the memory ratio. */
export type StepMemory = Map<string, { graft?: number; tfjs?: number }>

/**
 * A whole inference and a whole training step (SGD with momentum, no dropout), from the images on the device to the logits or the
 * loss on the host. The batch is two images repeated, so that a float64 reference is quick.
 */
export function networkCases(choice: NetworkChoice, peers: Peers, memory: StepMemory): Case[] {
  const { engine, tf, backends } = peers
  const { variant, batch } = choice
  const { size } = plans[variant]
  const pair = lazy(() => randomArray([2, 3, size, size], 5))
  const images = lazy(() => {
    const data = new Float32Array(batch * 3 * size * size)
    for (let i = 0; i < batch; i++)
      data.set(pair().data.subarray((i % 2) * 3 * size * size, ((i % 2) + 1) * 3 * size * size), i * 3 * size * size)
    return { shape: [batch, 3, size, size], data }
  })
  const weights = initialWeights(peers, choice)
  const targets = Int32Array.from({ length: batch }, (_, i) => (i % 2 ? 3 : 7))
  const logits = lazy(async () => logitsOf(pair(), await weights(), plans[variant]))
  const meter = meterFor(engine.gpu.device)
  const flops = lazy(() => forwardFlops(variant) * batch)
  return (['inference', 'training step'] as const).map((pass): Case => {
    const training = pass === 'training step'
    const note = (side: 'graft' | 'tfjs', bytes: number) => {
      if (!training) return
      const entry = memory.get(variant) ?? {}
      entry[side] = Math.max(entry[side] ?? 0, bytes)
      memory.set(variant, entry)
    }
    const contestants: Record<string, () => Promise<Contestant>> = {
      graft: async () => graftNetwork(engine, choice, await weights(), images(), targets, training, meter, (bytes) => note('graft', bytes)),
    }
    if (tf)
      for (const backend of backends(training ? ['webgpu'] : ['webgpu', 'wasm'], 0))
        contestants[competitorOf[backend]] = async () =>
          tfjsNetwork(peers, backend, choice, await weights(), images(), targets, training, meter, (bytes) => note('tfjs', bytes))
    return {
      name: variant,
      pass,
      shape: `${batch}x3x${size}x${size}`,
      family: training ? 'training' : 'inference',
      flops: training ? 3 * flops() : flops(),
      bytes: 4 * batch * 3 * size * size,
      expected: async () => {
        const both = await logits()
        const classes = both.length / 2
        if (!training)
          return [0, 1, 2, classes - 1, classes, 2 * classes - 1].map((index) => ({
            index,
            value: both[index] ?? 0,
            tolerance: 1e-4 * Math.max(...both.map(Math.abs)),
          }))
        const loss = [0, 1].reduce(
          (sum, row) => sum + crossEntropyOf(both.subarray(row * classes, (row + 1) * classes), targets[row] ?? 0) / 2,
          0,
        )
        return [{ index: 0, value: loss, tolerance: 1e-4 * loss }]
      },
      contestants,
    }
  })
}

function crossEntropyOf(logits: Float64Array, target: number): number {
  const highest = Math.max(...logits)
  return Math.log(logits.reduce((sum, value) => sum + Math.exp(value - highest), 0)) + highest - (logits[target] ?? 0)
}

/** The initial weights, the same for all; made by Graft and read once. */
function initialWeights({ engine }: Peers, { variant }: NetworkChoice): () => Promise<StateDict> {
  return lazy(async () => {
    const model = await alexnet(engine, { variant, seed: 1 })
    const weights = await model.stateDict()
    model.dispose()
    engine.gpu.trim()
    return weights
  })
}

async function graftNetwork(
  engine: Network['engine'],
  { variant }: NetworkChoice,
  weights: StateDict,
  images: NdArray,
  targets: Int32Array,
  training: boolean,
  meter: MemoryMeter,
  noteBytes: (bytes: number) => void,
): Promise<Contestant> {
  engine.gpu.trim()
  const stop = meter.start()
  const model = await alexnet(engine, { variant, dropout: 0, weights })
  const x = engine.tensor(images.data, images.shape)
  const optimizer = training ? new SGD(model.parameters(), { lr, momentum: 0.9 }) : null
  const step = async (): Promise<Float32Array> => {
    if (!optimizer) {
      const y = engine.noGrad(() => model.forward(x))
      const [values = new Float32Array(0)] = await engine.read([y])
      y.dispose()
      return values
    }
    const loss = crossEntropy(model.forward(x, { training: true }), targets)
    const collect = engine.readLater([loss])
    loss.backward()
    optimizer.step()
    optimizer.zeroGrad()
    loss.dispose()
    engine.gpu.submit()
    const [values = new Float32Array(0)] = await collect()
    return values
  }
  return {
    async time() {
      const begun = performance.now()
      await step()
      return performance.now() - begun
    },
    values: step,
    dispose() {
      noteBytes(stop())
      optimizer?.dispose()
      x.dispose()
      model.dispose()
      engine.gpu.trim()
    },
  }
}

/** The same network in tfjs: fused convolutions and products with bias and ReLU, channels last, weights in tfjs's layouts. */
async function tfjsNetwork(
  { tf, renewTfjs }: Peers,
  backend: TfBackend,
  { variant }: NetworkChoice,
  weights: StateDict,
  images: NdArray,
  targets: Int32Array,
  training: boolean,
  meter: MemoryMeter,
  noteBytes: (bytes: number) => void,
): Promise<Contestant> {
  if (!tf) throw new Error('tfjs is not installed')
  if (backend === 'webgpu') await renewTfjs()
  await tf.setBackend(backend)
  await tf.ready()
  const stop = meter.start()
  const { stride, padding, pooled } = plans[variant]
  const named = new Map<string, TfTensor>()
  const tag = `${variant}.${backend}.${training}.`
  const put = (name: string, array: NdArray) => named.set(name, tf.variable(tf.tensor(array.data, array.shape), true, tag + name))
  const last = weights['features.10.weight']?.shape[0] ?? 1
  for (const [name, { shape, data }] of Object.entries(weights)) {
    if (shape.length === 4) put(name, toHwio({ shape, data }))
    else if (shape.length !== 2) put(name, { shape, data })
    else if (name === 'classifier.1.weight') {
      // Features arrive as [height, width, channel] here, and as [channel, height, width] in PyTorch.
      const [out = 1, inputs = 1] = shape
      const side = Math.sqrt(inputs / last)
      put(name, { ...permute({ shape: [out, last, side, side], data }, [2, 3, 1, 0]), shape: [inputs, out] })
    } else put(name, permute({ shape, data }, [1, 0]))
  }
  const get = (name: string) => {
    const found = named.get(name)
    if (!found) throw new Error(`no weights ${name}`)
    return found
  }
  const pictures = toNhwc(images)
  const x = tf.tensor(pictures.data, pictures.shape)
  const labels = tf.tidy(() => tf.oneHot(tf.tensor(targets, [targets.length], 'int32'), get('classifier.6.bias').shape[0] ?? 1))
  const forward = () => {
    let h = x
    for (const [i, name] of convolutions.entries()) {
      h = tf.fused.conv2d({
        x: h,
        filter: get(`${name}.weight`),
        bias: get(`${name}.bias`),
        strides: stride[i],
        pad: padding[i],
        dimRoundingMode: 'floor',
        activation: 'relu',
      })
      if (pooled[i]) h = tf.maxPool(h, 3, 2, 'valid')
    }
    h = tf.reshape(h, [targets.length, sizeOf(h.shape) / targets.length])
    for (const [i, name] of dense.entries())
      h = tf.fused.matMul({ a: h, b: get(`${name}.weight`), bias: get(`${name}.bias`), activation: i < 2 ? 'relu' : 'linear' })
    return h
  }
  const optimizer = training ? tf.train.momentum(lr, 0.9) : null
  const step = async (): Promise<Float32Array> => {
    await tf.setBackend(backend)
    const result = optimizer
      ? tf.tidy(() => optimizer.minimize(() => tf.losses.softmaxCrossEntropy(labels, forward()), true))
      : tf.tidy(forward)
    const values = (await result?.data()) ?? new Float32Array(0)
    result?.dispose()
    return values
  }
  return {
    async time() {
      const begun = performance.now()
      await step()
      return performance.now() - begun
    },
    values: step,
    dispose() {
      if (backend === 'webgpu') noteBytes(stop())
      optimizer?.dispose()
      for (const tensor of [...named.values(), x, labels]) tensor.dispose()
    },
  }
}

/** Operations of a forward pass of one image. */
function forwardFlops(variant: NetworkChoice['variant']): number {
  return variant === 'torchvision' ? 2 * 714_188_480 : 2 * 38_538_656
}
