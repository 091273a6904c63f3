import { at } from '../../src/base/at.ts'
import type { Engine } from '../../src/index.ts'
import { type NdArray, permute, sizeOf } from '../arrays.ts'
import type { Contestant } from '../contest.ts'
import { Account, MemoryMeter } from '../memory.ts'
import {
  renewWebgpu,
  type Tf,
  type TfBackend,
  type TfTensor,
  toHwio,
  toNhwc,
  validated,
} from '../peers/tfjs.ts'
import { convolutions, dense, recipe, type Task } from './plan.ts'

/**
 * A step in tfjs as its users would write it: convolutions and products fused with bias and ReLU,
 * channels last, weights in tfjs's layouts, `minimize` with momentum.
 */
export async function tfjsStep(
  tf: Tf,
  backend: TfBackend,
  engine: Engine,
  task: Task,
): Promise<Contestant> {
  const { device } = engine.gpu
  // A new backend has no free buffers of earlier rows.
  if (backend === 'webgpu') await renewWebgpu(tf)
  await tf.setBackend(backend)
  await tf.ready()
  const account = new Account(MemoryMeter.of(device))
  return account.during(async () => {
    const { named, get } = putWeights(tf, `${task.plan.variant}.${backend}.${task.training}`, task)
    const images = toNhwc(task.images)
    const x = tf.tensor(images.data, images.shape)
    const labels = tf.tidy(() =>
      tf.oneHot(tf.tensor(task.targets, [task.targets.length], 'int32'), task.plan.classes),
    )
    const optimizer = task.training ? tf.train.momentum(recipe.lr, recipe.momentum) : null
    const forward = () => forwardPass(tf, x, get, task)
    const step = async (): Promise<Float32Array> => {
      const result = optimizer
        ? tf.tidy(() =>
            optimizer.minimize(() => tf.losses.softmaxCrossEntropy(labels, forward()), true),
          )
        : tf.tidy(forward)
      if (!result) throw new Error('tfjs returned no loss')
      const values = await result.data()
      result.dispose()
      return values
    }
    const timed = async () => {
      const begun = performance.now()
      await step()
      return performance.now() - begun
    }
    const run = async <T>(body: () => Promise<T>) => {
      await tf.setBackend(backend)
      return account.during(() => validated(backend === 'webgpu' ? device : null, body))
    }
    return {
      // `values` reports what fails validation; the time counts anyway.
      time: async () => (await run(timed)).result,
      async values() {
        const { result, error } = await run(step)
        account.restart()
        if (error) throw new Error(error)
        return result
      },
      ...(backend === 'webgpu' ? { peakBytes: () => account.peak } : {}),
      async dispose() {
        await tf.setBackend(backend)
        optimizer?.dispose()
        for (const tensor of [...named.values(), x, labels]) tensor.dispose()
      },
    }
  })
}

function putWeights(tf: Tf, tag: string, { plan, weights }: Task) {
  const named = new Map<string, TfTensor>()
  const put = (name: string, { data, shape }: NdArray) => {
    const initial = tf.tensor(data, shape)
    named.set(name, tf.variable(initial, true, `${tag}.${name}`))
    initial.dispose()
  }
  const last = at(plan.channels, plan.channels.length - 1)
  for (const [name, { shape, data }] of Object.entries(weights)) {
    if (shape.length === 4) put(name, toHwio({ shape, data }))
    else if (shape.length !== 2) put(name, { shape, data })
    else if (name === 'classifier.1.weight') {
      // Features arrive as [height, width, channel] here, and as [channel, height, width] in
      // PyTorch.
      const [out, inputs] = [at(shape, 0), at(shape, 1)]
      const side = Math.sqrt(inputs / last)
      put(name, {
        ...permute({ shape: [out, last, side, side], data }, [2, 3, 1, 0]),
        shape: [inputs, out],
      })
    } else put(name, permute({ shape, data }, [1, 0]))
  }
  const get = (name: string) => {
    const found = named.get(name)
    if (!found) throw new Error(`no weights ${name}`)
    return found
  }
  return { named, get }
}

function forwardPass(
  tf: Tf,
  x: TfTensor,
  get: (name: string) => TfTensor,
  { plan, targets }: Task,
): TfTensor {
  let h = x
  for (const [i, name] of convolutions.entries()) {
    h = tf.fused.conv2d({
      x: h,
      filter: get(`${name}.weight`),
      bias: get(`${name}.bias`),
      strides: plan.stride[i],
      pad: plan.padding[i],
      dimRoundingMode: 'floor',
      activation: 'relu',
    })
    if (plan.pooled[i]) h = tf.maxPool(h, 3, 2, 'valid')
  }
  h = tf.reshape(h, [targets.length, sizeOf(h.shape) / targets.length])
  for (const [i, name] of dense.entries())
    h = tf.fused.matMul({
      a: h,
      b: get(`${name}.weight`),
      bias: get(`${name}.bias`),
      activation: i < 2 ? 'relu' : 'linear',
    })
  return h
}
