import { describe, expect, test } from 'vitest'
import { crossEntropy } from '../../src/autograd/functions.ts'
import { at } from '../../src/base/at.ts'
import { UsageError, WeightsError } from '../../src/base/errors.ts'
import type { StateDict } from '../../src/base/stateDict.ts'
import { BatchNorm2d } from '../../src/nn/batchNorm.ts'
import type { Network } from '../../src/nn/network.ts'
import { type ResNetVariant, resnet } from '../../src/nn/resnet.ts'
import { SGD } from '../../src/optim/sgd.ts'
import { sizeOf } from '../../src/tensor/ndbuffer.ts'
import { sameBits } from '../support/bits.ts'
import { expectClose } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { int32Of, loadCase, ORACLE_TOLERANCE, oracleCases, tensorOf } from '../support/oracle.ts'

const engine = await testEngine()
const narrow = { variant: 'resnet18', channels: [4, 4, 6, 8], classes: 4, size: 33 } as const

/** Images of any numbers, the same for the same seed. */
function images(count: number, seed = 1) {
  const shape = [count, 3, 33, 33]
  const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(seed + i * 1.37))
  return engine.tensor(values, shape)
}

/** Trains on the same images for some steps. */
function train(model: Network, steps: number, parameters = model.parameters()): void {
  const x = images(4)
  const optimizer = new SGD(parameters, { lr: 0.05, momentum: 0.9 })
  for (let step = 0; step < steps; step++) {
    const loss = crossEntropy(model.forward(x, { training: true }), Int32Array.of(0, 1, 2, 3))
    loss.backward()
    optimizer.step()
    for (const parameter of model.parameters()) parameter.dropGrad()
    loss.dispose()
  }
  for (const one of [optimizer, x]) one.dispose()
}

/** What the network makes of other images, in evaluation, before its last layer. */
async function featuresOf(model: Network): Promise<Float32Array> {
  const x = images(2, 5)
  const y = engine.noGrad(() => model.forward(x, { to: model.layers.length - 1 }))
  const values = await y.data()
  for (const tensor of [x, y]) tensor.dispose()
  return values
}

const freezeTrunk = (model: Network) => {
  for (const parameter of model.parameters()) parameter.trainable = parameter.name.startsWith('fc.')
}

describe('as PyTorch trains it', () => {
  test.each(oracleCases('resnet'))('$name', async ({ attrs, ...one }) => {
    const tensors = loadCase({ attrs, ...one })
    const named = (prefix: string) =>
      Object.entries(tensors).flatMap(([name, tensor]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
      )
    const weights: StateDict = Object.fromEntries(named('init.'))
    const { variant = '', channels = [], freeze = [], lr = 0, momentum } = attrs
    const model = await resnet(engine, {
      variant: variant as ResNetVariant,
      ...{ channels, size: 33, weights },
    })
    const uncounted = model.state().filter(({ name }) => !name.endsWith('num_batches_tracked'))
    expect(uncounted.map(({ name }) => name)).toEqual(Object.keys(weights))
    const isFrozen = (name: string) => freeze.some((start) => name.startsWith(start))
    for (const parameter of model.parameters()) parameter.trainable = !isFrozen(parameter.name)
    const optimizer = new SGD(model.parameters(), { lr, momentum })

    const close = async (prefix: string, found: StateDict) => {
      const wanted = named(prefix)
      expect(wanted.length).toBeGreaterThan(5)
      for (const [name, { data, shape }] of wanted)
        expectClose(found[name]?.data ?? [], data, shape, { relative: ORACLE_TOLERANCE.run, name })
    }
    const x = tensorOf(tensors, 'x')
    const targets = int32Of(tensors, 'target')
    const batch = (i: number) => {
      const size = x.data.length / 2
      const values = x.data.slice(i * size, (i + 1) * size)
      return engine.tensor(values, x.shape.slice(1))
    }
    const batches = [batch(0), batch(1)]
    const losses: number[] = []
    for (let step = 0; step < 5; step++) {
      const here = targets.slice((step % 2) * 4, (step % 2) * 4 + 4)
      const loss = crossEntropy(model.forward(at(batches, step % 2), { training: true }), here)
      losses.push(at([...(await loss.data())], 0))
      loss.backward()
      if (step === 0) {
        const trained = model.parameters().filter(({ grad }) => grad)
        const values = await engine.read(trained.flatMap(({ grad }) => grad ?? []))
        const gradients = trained.map(({ name, shape }, i) => [name, { shape, data: values[i] }])
        await close('grad.', Object.fromEntries(gradients))
      }
      optimizer.step()
      optimizer.zeroGrad()
      loss.dispose()
      if (step === 0) await close('first.', await model.stateDict())
    }
    const expected = tensorOf(tensors, 'losses')
    expectClose(losses, expected.data, [5], { relative: ORACLE_TOLERANCE.run, name: 'losses' })
    const state = await model.stateDict()
    await close('final.', state)
    for (const [name, { data }] of Object.entries(state)) {
      if (name.endsWith('num_batches_tracked'))
        expect([name, ...data]).toEqual([name, isFrozen(name) ? 0 : 5])
      else if (isFrozen(name)) expect(sameBits(data, weights[name]?.data), name).toBe(true)
    }
    const logits = engine.noGrad(() => model.forward(at(batches, 0)))
    const wanted = tensorOf(tensors, 'logits')
    expectClose(await logits.data(), wanted.data, wanted.shape, { relative: 1e-3, name: 'logits' })
    for (const one of [...batches, logits, optimizer, model]) one.dispose()
  })
})

describe('what is frozen', () => {
  test('stays as it was in all bytes, statistics included', async () => {
    const model = await resnet(engine, { ...narrow, seed: 3 })
    train(model, 3) // so that the statistics are some
    freezeTrunk(model)
    const before = await model.stateDict()
    train(model, 40)
    const after = await model.stateDict()
    const changed = Object.keys(before).filter(
      (name) => !sameBits(before[name]?.data, after[name]?.data),
    )
    expect(changed).toEqual(['fc.weight', 'fc.bias'])
    model.dispose()
  })

  // The article's frozen ResNet-50 stayed at 12 %: its weights were frozen, its statistics were not.
  test('gives the same features after training, which moving statistics would change', async () => {
    const build = async () => {
      const model = await resnet(engine, { ...narrow, seed: 3 })
      train(model, 3)
      return model
    }
    const frozen = await build()
    const before = await featuresOf(frozen)
    freezeTrunk(frozen)
    train(frozen, 30)
    expect(sameBits(await featuresOf(frozen), before)).toBe(true)

    const trap = await build() // only the head is trained, but nothing is frozen
    train(trap, 30, trap.parameters().slice(-2))
    const moved = await featuresOf(trap)
    const apart = Math.max(...moved.map((value, i) => Math.abs(value - at([...before], i))))
    expect(apart).toBeGreaterThan(0.1 * Math.max(...before))
    for (const one of [frozen, trap]) one.dispose()
  })

  test('also runs by its running statistics where layers before it train', async () => {
    const model = await resnet(engine, narrow)
    for (const parameter of model.parameters())
      parameter.trainable = !parameter.name.startsWith('layer2.')
    train(model, 2)
    const state = await model.stateDict()
    const counts = (name: string) => state[`${name}.num_batches_tracked`]?.data[0]
    expect([counts('bn1'), counts('layer2.0.bn1'), counts('layer3.0.bn2')]).toEqual([2, 0, 2])
    model.dispose()
  })
})

test('a layer that is told to evaluate keeps its statistics, and its weights train', async () => {
  const model = await resnet(engine, narrow)
  for (const layer of model.layers) if (layer.name.startsWith('layer1.')) layer.eval()
  const before = await model.stateDict()
  train(model, 1)
  const after = await model.stateDict()
  const same = (name: string) => sameBits(before[name]?.data, after[name]?.data)
  expect([same('layer1.0.bn1.running_mean'), same('layer1.0.bn1.weight')]).toEqual([true, false])
  expect(same('layer2.0.bn1.running_mean')).toBe(false)
  for (const layer of model.layers) layer.train()
  train(model, 1)
  const later = await model.stateDict()
  expect(later['layer1.0.bn1.num_batches_tracked']?.data).toEqual(Float32Array.of(1))
  model.dispose()
})

test('a trial of a training step leaves no trace', async () => {
  const model = await resnet(engine, narrow)
  const before = await model.stateDict()
  const x = images(2)
  const trial = model.forward(x, { training: true, trial: true })
  const real = model.forward(x, { training: true })
  expect(sameBits(await trial.data(), await real.data())).toBe(true)
  expect(model.passes).toBe(1)
  for (const tensor of [trial, real]) tensor.dispose()
  const changed = await model.stateDict()
  expect(changed['bn1.num_batches_tracked']?.data).toEqual(Float32Array.of(1))
  expect(sameBits(changed['bn1.running_mean']?.data, before['bn1.running_mean']?.data)).toBe(false)
  for (const one of [x, model]) one.dispose()
})

describe('its modules', () => {
  test('have torchvision’s parameters, and as many', async () => {
    const count = async (variant: ResNetVariant) => {
      const model = await resnet(engine, { variant })
      const values = model.parameters().reduce((sum, { shape }) => sum + sizeOf(shape), 0)
      const shapes = model.shapes()
      expect(shapes.at(-4)).toEqual([variant === 'resnet50' ? 2048 : 512, 7, 7])
      model.dispose()
      return values
    }
    // As torchvision publishes them.
    expect(await count('resnet18')).toBe(11_689_512)
    expect(await count('resnet34')).toBe(21_797_672)
    expect(await count('resnet50')).toBe(25_557_032)
  })

  test('keep statistics apart from parameters', async () => {
    const model = await resnet(engine, narrow)
    const names = new Set(model.parameters().map(({ name }) => name))
    expect(model.buffers().some(({ name }) => names.has(name))).toBe(false)
    expect(model.state()).toHaveLength(model.parameters().length + model.buffers().length)
    const mean = at(model.buffers(), 0)
    expect(mean.name).toBe('bn1.running_mean')
    expect(() => {
      mean.trainable = true
    }).toThrow(UsageError)
    const norms = model.layers.flatMap((layer) => [layer, ...layer.children()])
    expect(norms.filter((layer) => layer instanceof BatchNorm2d)).toHaveLength(20)
    model.dispose()
  })

  test('free what they compute', async () => {
    const model = await resnet(engine, narrow)
    train(model, 1)
    const { liveBytes, buffers } = engine.memory()
    train(model, 2)
    expect(engine.memory()).toMatchObject({ liveBytes, buffers })
    model.dispose()
  })
})

test('loads files that count no batches, and refuses what does not fit', async () => {
  const model = await resnet(engine, { ...narrow, seed: 2 })
  const state = await model.stateDict()
  const old = Object.fromEntries(
    Object.entries(state).filter(([name]) => !name.endsWith('num_batches_tracked')),
  )
  const other = await resnet(engine, { ...narrow, seed: 3, weights: old })
  expect(other.pretrained).toBe(true)
  expect(sameBits((await other.stateDict())['fc.weight']?.data, state['fc.weight']?.data)).toBe(
    true,
  )
  const { 'layer1.0.bn1.running_var': _, ...lacking } = old
  await expect(resnet(engine, { ...narrow, weights: lacking })).rejects.toThrow(
    /lack layer1\.0\.bn1\.running_var/,
  )
  await expect(resnet(engine, { ...narrow, classes: 5, weights: old })).rejects.toThrow(
    WeightsError,
  )
  await expect(resnet(engine, { ...narrow, channels: [4, 4, 6] })).rejects.toThrow(
    /channels are four positive integers, not \[4, 4, 6\]/,
  )
  for (const one of [model, other]) one.dispose()
})
