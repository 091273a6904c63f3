import { describe, expect, test } from 'vitest'
import { add, batchNorm, concat, conv2d, relu } from '../../src/autograd/functions.ts'
import { ShapeError } from '../../src/base/errors.ts'
import { BatchNorm2d } from '../../src/nn/batchNorm.ts'
import { Branches, Residual, Sequential } from '../../src/nn/blocks.ts'
import { ModuleBuffer } from '../../src/nn/buffer.ts'
import { Conv2d, Dropout, ReLU } from '../../src/nn/layers.ts'
import { type LayerContext, Module } from '../../src/nn/module.ts'
import { Parameter } from '../../src/nn/parameter.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { sameBits } from '../support/bits.ts'
import { testEngine } from '../support/engine.ts'

const engine = await testEngine()
const context: LayerContext = { training: true, trial: false, seed: 5, relu: false }
const init = { weight: 'kaiming-normal', seed: 1 } as const
const conv = (name: string, inChannels: number, outChannels: number, kernel: number) =>
  new Conv2d(
    engine,
    name,
    { inChannels, outChannels, kernel, padding: (kernel - 1) / 2 },
    { ...init, stream: kernel },
  )
const images = (channels: number, requiresGrad = false) =>
  engine.tensor(
    Float32Array.from({ length: 2 * channels * 30 }, (_, i) => Math.sin(3 * i)),
    [2, channels, 5, 6],
    { requiresGrad },
  )

/** Result and input gradient, for a dy of the result's own values. */
async function both(x: Tensor, y: Tensor): Promise<Float32Array[]> {
  const dy = engine.tensor(await y.data(), y.shape)
  const value = await y.data()
  y.backward(dy)
  const gradient = (await x.grad?.data()) ?? new Float32Array(0)
  x.grad?.dispose()
  x.grad = null
  for (const tensor of [y, dy]) tensor.dispose()
  return [value, gradient]
}

test('a fire module: one way in, two ways side by side', async () => {
  const [squeeze, one, three] = [conv('s', 6, 3, 1), conv('e1', 3, 4, 1), conv('e3', 3, 5, 3)]
  const fire = new Sequential('fire', [
    ...[squeeze, new ReLU('s.relu')],
    new Branches('expand', [
      [one, new ReLU('e1.relu')],
      [three, new ReLU('e3.relu')],
    ]),
  ])
  expect(fire.outShape([6, 5, 6])).toEqual([9, 5, 6])
  expect(fire.parameters().map(({ name }) => name)).toEqual(
    ['s', 'e1', 'e3'].flatMap((name) => [`${name}.weight`, `${name}.bias`]),
  )
  expect(fire.description).toMatch(/^conv 1x1, 6 to 3, ReLU, conv 1x1, 3 to 4.* beside conv 3x3/)
  const x = images(6, true)
  const before = engine.memory()
  const found = await both(x, fire.forward(x, context))
  const apply = (layer: Conv2d, input: Tensor, padding: number) =>
    relu(conv2d(input, layer.weight.tensor, layer.bias?.tensor ?? null, { padding }))
  const narrow = apply(squeeze, x, 0)
  const expected = await both(x, concat([apply(one, narrow, 0), apply(three, narrow, 1)]))
  for (const [i, values] of expected.entries()) expect(sameBits(found[i], values)).toBe(true)
  for (const parameter of fire.parameters()) parameter.dropGrad()
  const { liveBytes, buffers } = engine.memory()
  expect(buffers - before.buffers, 'only the weights, made meanwhile').toBe(6)
  expect(liveBytes).toBeGreaterThan(before.liveBytes)
  for (const one of [...fire.parameters(), x]) one.dispose()
})

test('a residual block: batch norm, its ReLU and the sum, each in the launch before it', async () => {
  const [first, norm] = [conv('conv1', 4, 4, 3), new BatchNorm2d(engine, 'bn1', { channels: 4 })]
  const block = new Residual('block', { main: [first, norm, new ReLU('relu')] })
  const x = images(4, true)
  const recorder = engine.record()
  const y = block.forward(x, context)
  const { calls, dispatches } = await recorder.finish()
  expect(calls.map(({ operator, layer }) => [operator, layer])).toEqual([
    ['conv2d', 'conv1'],
    ['batchNorm', 'bn1'],
    ['relu', 'relu'],
    ['add', null],
  ])
  expect(dispatches.some(({ kernel }) => kernel.startsWith('relu/'))).toBe(false)
  const found = await both(x, y)
  norm.reset(engine)
  const c = conv2d(x, first.weight.tensor, first.bias?.tensor ?? null, { padding: 1 })
  const tensors = {
    weight: norm.weight.tensor,
    bias: norm.bias.tensor,
    mean: norm.runningMean.tensor,
    variance: norm.runningVariance.tensor,
  }
  const n = relu(batchNorm(c, tensors, { training: true }))
  const expected = await both(x, relu(add(n, x)))
  for (const [i, values] of expected.entries()) expect(sameBits(found[i], values)).toBe(true)
  for (const one of [...block.state(), x]) one.dispose()
})

test('two dropouts of a block drop other elements, and others in the next pass', async () => {
  const block = new Branches('pair', [[new Dropout('a', 0.5)], [new Dropout('b', 0.5)]])
  const x = engine.tensor(new Float32Array(200).fill(1), [1, 200])
  const run = async (seed: number) => {
    const y = block.forward(x, { ...context, seed })
    const values = await y.data()
    y.dispose()
    return [values.slice(0, 200), values.slice(200)] as const
  }
  const [[a, b], [later], [again]] = [await run(1), await run(2), await run(1)]
  expect([sameBits(a, b), sameBits(a, later), sameBits(a, again)]).toEqual([false, false, true])
  const still = block.forward(x, { ...context, training: false })
  expect([...(await still.data())].every((value) => value === 1)).toBe(true)
  block.eval()
  const told = block.forward(x, context)
  expect([...(await told.data())].every((value) => value === 1)).toBe(true)
  for (const tensor of [x, still, told]) tensor.dispose()
})

test('an error inside a block leaves nothing behind', () => {
  const x = images(4, true)
  const block = new Residual('block', { main: [conv('wide', 4, 7, 3), new ReLU('relu')] })
  for (const { tensor } of block.parameters()) expect(tensor.size).toBeGreaterThan(0)
  const { liveBytes, buffers } = engine.memory()
  expect(() => block.forward(x, context)).toThrow(ShapeError)
  expect(() => block.forward(x, context)).toThrow(/add: a and b have one shape/)
  expect(engine.memory()).toMatchObject({ liveBytes, buffers })
  for (const one of [...block.parameters(), x]) one.dispose()
})

describe('state', () => {
  class Gate extends Module {
    readonly description = 'a module with a weight of its own'
    readonly scale = new Parameter('scale', engine.tensor(new Float32Array(1), [1]))
    readonly count = new ModuleBuffer('count', engine.tensor(new Float32Array(1), []))
    readonly inner = new BatchNorm2d(engine, 'inner', { channels: 2 })

    override children() {
      return [this.inner]
    }

    override parameters() {
      return [this.scale, ...super.parameters()]
    }

    override buffers() {
      return [this.count, ...super.buffers()]
    }

    outShape(shape: readonly number[]) {
      return shape
    }

    forward(x: Tensor): Tensor {
      return x
    }
  }

  test('is all parameters and buffers, a module’s own first, each once', () => {
    const gate = new Gate('gate')
    expect(gate.state().map(({ name }) => name)).toEqual([
      ...['scale', 'count', 'inner.weight', 'inner.bias'],
      ...['inner.running_mean', 'inner.running_var', 'inner.num_batches_tracked'],
    ])
    for (const one of gate.state()) one.dispose()
  })
})
