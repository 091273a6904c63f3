import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ImageDataset } from '../../src/data/dataset.ts'
import { network } from '../../src/nn/networks.ts'
import { type ResNetOptions, resnet } from '../../src/nn/resnet.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { fit } from '../../src/train/fit.ts'
import type { FitOptions } from '../../src/train/fitOptions.ts'
import { applyScenario } from '../../src/transfer/scenario.ts'
import { sameBits } from '../support/bits.ts'
import { testEngine } from '../support/engine.ts'
import { drawnShapes } from '../support/shapes.ts'

const engine = await testEngine()
const build = (options: Partial<ResNetOptions> = {}) =>
  resnet(engine, { variant: 'resnet18', channels: [4, 4, 6, 8], classes: 5, size: 33, ...options })

let data: ImageDataset
let folder: string
beforeAll(async () => {
  data = await drawnShapes()
  folder = await mkdtemp(join(tmpdir(), 'graft-resnet-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a scenario on a ResNet', () => {
  test('small-similar replaces the last layer, by its own name, and freezes the rest', async () => {
    const model = await build()
    const plan = applyScenario(model, { scenario: 'small-similar', classes: 3 })
    expect(plan).toMatchObject({ cut: null, replace: 'last', removed: ['fc'] })
    expect(plan.added.map(({ name, description }) => [name, description])).toEqual([
      ['fc', 'FC 8 to 3'],
    ])
    expect(plan.trained).toEqual(['fc.weight', 'fc.bias'])
    expect(plan.frozen.some((name) => name.includes('running'))).toBe(false)
    expect(model.frozenPrefix).toBe(model.layers.length - 1)
    model.dispose()
  })

  test('small-different cuts after the third stage, and averages its maps as before', async () => {
    const model = await build()
    const plan = applyScenario(model, { scenario: 'small-different', classes: 3 })
    expect(plan.cut).toBe('layer3.1')
    expect(plan.removed).toEqual(['layer4.0', 'layer4.1', 'fc'])
    expect(model.layers.slice(-4).map(({ name }) => name)).toEqual([
      ...['layer3.1', 'avgpool', 'flatten', 'fc'],
    ])
    expect(plan.added).toMatchObject([{ description: 'FC 6 to 3' }])
    const x = engine.tensor(new Float32Array(3 * 33 * 33).fill(0.5), [1, 3, 33, 33])
    const y = model.forward(x)
    expect(y.shape).toEqual([1, 3])
    for (const one of [x, y, model]) one.dispose()
  })

  test.each([
    ['layer2', 'layer2.1'],
    ['layer2.0', 'layer2.0'],
    ['maxpool', 'maxpool'],
  ])('a cut at %s is after %s', async (cut, after) => {
    const model = await build()
    const plan = applyScenario(model, { scenario: 'small-different', classes: 3, cut })
    expect(plan.cut).toBe(after)
    model.dispose()
  })

  test('a cut inside a block is refused, with the nearest two that can be', async () => {
    const model = await build()
    const cutAt = (cut: string) => () =>
      applyScenario(model, { scenario: 'small-different', classes: 3, cut })
    expect(cutAt('layer3.0.conv1')).toThrow(
      'layer3.0.conv1 lies inside the block layer3.0, beside another path: ' +
        'cut before it, at layer2.1, or after it, at layer3.0',
    )
    expect(cutAt('layer9')).toThrow(/there is no layer layer9; the layers are conv1, bn1, relu/)
    expect(cutAt('fc')).toThrow(/fc is the one that is replaced/)
    model.dispose()
  })

  test('large-different gives every layer of a block values of its own', async () => {
    const model = await build({ seed: 1 })
    const x = engine.tensor(
      Float32Array.from({ length: 6534 }, (_, i) => i % 7),
      [2, 3, 33, 33],
    )
    model.forward(x, { training: true }).dispose()
    applyScenario(model, { scenario: 'large-different', classes: 5, seed: 2 })
    const state = await model.stateDict()
    const [first, second] = [state['layer1.0.conv1.weight'], state['layer1.0.conv2.weight']]
    expect(first?.shape).toEqual(second?.shape)
    expect(sameBits(first?.data, second?.data)).toBe(false)
    expect([...(state['bn1.running_mean']?.data ?? [])]).toEqual([0, 0, 0, 0])
    expect([...(state['bn1.weight']?.data ?? [])]).toEqual([1, 1, 1, 1])
    for (const one of [x, model]) one.dispose()
  })
})

describe('training a ResNet', () => {
  async function train(options: Partial<FitOptions>, train: readonly string[] = []) {
    const model = await build({ seed: 4 })
    applyScenario(model, { scenario: 'small-similar', classes: 3, train })
    const before = await model.stateDict()
    const run = await fit(model, data, { epochs: 3, batchSize: 4, lr: 0.05, seed: 1, ...options })
    const state = await model.stateDict()
    model.dispose()
    return { run, before, state }
  }
  const changed = ({ before, state }: Awaited<ReturnType<typeof train>>) =>
    Object.keys(state).filter((name) => !sameBits(state[name]?.data, before[name]?.data))

  test('leaves a frozen trunk as it was in all bytes', async () => {
    expect(changed(await train({}))).toEqual(['fc.weight', 'fc.bias'])
  })

  test('moves the statistics of the blocks that train, and of no other', async () => {
    const names = changed(await train({}, ['layer4.1.*']))
    expect(names).toContain('layer4.1.bn1.running_mean')
    expect(names.filter((name) => !/^(layer4\.1|fc)\./.test(name))).toEqual([])
  })

  test('goes on after an interruption with the same bytes, statistics included', async () => {
    const checkpoint = join(folder, 'run')
    const whole = await train({}, ['layer4.*'])
    const controller = new AbortController()
    const onEvent = (event: TrainEvent) => {
      if (event.type === 'step' && event.epoch === 2) controller.abort()
    }
    const part = await train({ checkpoint, signal: controller.signal, onEvent }, ['layer4.*'])
    expect(part.run.epochs.length).toBeLessThan(3)
    const resumed = await train({ checkpoint, resume: true }, ['layer4.*'])
    const differing = Object.keys(whole.state).filter(
      (name) => !sameBits(whole.state[name]?.data, resumed.state[name]?.data),
    )
    expect(differing).toEqual([])
    expect(whole.state['layer4.0.bn1.num_batches_tracked']?.data[0]).toBeGreaterThan(0)
  })
})

test('network makes any of them, and names all where there is none', async () => {
  const model = await network(engine, { variant: 'resnet18', channels: [4, 4, 6, 8], classes: 3 })
  expect(model.architecture).toMatchObject({ variant: 'resnet18', classes: 3 })
  expect(model.preprocess).toMatchObject({ size: 224, resize: 256 })
  const other = await network(engine, { variant: 'alexnet-64', classes: 3 })
  expect(other.layers.at(-1)?.name).toBe('classifier.6')
  const unknown = { variant: 'vgg99' as 'resnet18' }
  await expect(network(engine, unknown)).rejects.toThrow(/no variant 'vgg99'; .*resnet50/)
  for (const one of [model, other]) one.dispose()
})
