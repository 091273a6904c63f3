import { describe, expect, test } from 'vitest'
import {
  crossEntropy,
  dropout,
  flatten,
  linear,
  maxPool2d,
  relu,
} from '../src/autograd/functions.ts'
import { AutogradError, GraftError, UsageError } from '../src/base/errors.ts'
import { createEngineOn } from '../src/createEngine.ts'
import { fetchDataset } from '../src/data/datasets/node/store.ts'
import { FeatureCache } from '../src/data/featureCache.ts'
import { openImageFolder } from '../src/data/imageFolder.ts'
import { openData } from '../src/data/openData.ts'
import { resizeCrop } from '../src/data/transforms.ts'
import { inspect } from '../src/inspect/inspect.ts'
import { alexnet } from '../src/nn/alexnet.ts'
import { importOnnx } from '../src/nn/onnx.ts'
import { Parameter } from '../src/nn/parameter.ts'
import { nodeHost } from '../src/nodeHost.ts'
import { WeightAverage } from '../src/optim/average.ts'
import { SGD } from '../src/optim/sgd.ts'
import type { Engine } from '../src/tensor/tensor.ts'
import { chooseScenario } from '../src/train/chooseScenario.ts'
import { compareScenarios } from '../src/train/compareScenarios.ts'
import { evaluate, predict } from '../src/train/evaluate.ts'
import { fit } from '../src/train/fit.ts'
import { planMemory } from '../src/train/memory.ts'
import { tune } from '../src/train/tune.ts'
import { applyScenario } from '../src/transfer/scenario.ts'
import { testEngine } from './support/engine.ts'
import { drawnShapes } from './support/shapes.ts'

const engine = await testEngine()
const model = await alexnet(engine, {
  variant: 'alexnet-64',
  channels: [4, 4, 4, 4, 4],
  hidden: 4,
  classes: 3,
})
const data = await drawnShapes()
const x = engine.tensor(new Float32Array(8), [2, 4])

/** Runs what TypeScript would not let through, as a program in JavaScript does. */
const wrong = (value: unknown) => value as never
const caught = async (body: () => unknown): Promise<unknown> => {
  try {
    await body()
  } catch (error) {
    return error
  }
  return null
}

// From JavaScript nobody checks the types: what is given wrong is said in a line, never computed
// with.
describe('values of another kind', () => {
  test.each([
    [
      'an array',
      [1, 2],
      'a tensor takes its values as a Float32Array, not an array: Float32Array.from(values) makes one',
    ],
    [
      'float64',
      Float64Array.of(1, 2),
      'a tensor takes its values as a Float32Array, not Float64Array: Float32Array.from(values) makes one',
    ],
    [
      'integers',
      Int32Array.of(1, 2),
      'a tensor takes its values as a Float32Array, not Int32Array: Float32Array.from(values) makes one',
    ],
    [
      'nothing',
      undefined,
      'a tensor takes its values as a Float32Array, not Undefined: Float32Array.from(values) makes one',
    ],
  ])('a tensor of %s', (_, values, message) => {
    expect(() => engine.tensor(wrong(values), [2])).toThrow(new UsageError(message))
  })

  test('a shape that is none', () => {
    expect(() => engine.tensor(Float32Array.of(1), wrong(undefined))).toThrow(
      'a tensor has the shape undefined: a shape is a list of extents, such as [2, 3]',
    )
    expect(() => engine.tensor(Float32Array.of(1), wrong(1))).toThrow(
      'a tensor has the shape 1: a shape is a list',
    )
  })

  test('a parameter’s values, and a state dictionary’s', async () => {
    const parameter = new Parameter('p', engine.tensor(Float32Array.of(1, 2), [2]))
    expect(() => parameter.assign(engine, wrong(Float64Array.of(1, 2)))).toThrow(
      'parameter p takes its values as a Float32Array',
    )
    const name = 'features.0.bias'
    expect(() =>
      model.loadStateDict({ [name]: { shape: [4], data: wrong([1, 2, 3, 4]) } }, { strict: false }),
    ).toThrow('features.0.bias takes its values as a Float32Array, not an array')
  })

  test.each([
    ['relu', () => relu(wrong([1, 2])), 'relu: x is an array, and has to be a tensor'],
    [
      'relu of nothing',
      () => relu(wrong(undefined)),
      'relu: x is left out, and has to be a tensor',
    ],
    [
      'linear without a bias',
      () => linear(x, x, wrong(undefined)),
      'linear: bias is left out, and has to be a tensor',
    ],
    [
      'flatten',
      () => flatten(wrong(new Float32Array(2))),
      'flatten: x is Float32Array, and has to be a tensor',
    ],
    ['dropout', () => dropout(wrong(1), 0.5), 'dropout: x is Number, and has to be a tensor'],
    [
      'crossEntropy',
      () => crossEntropy(wrong(null), Int32Array.of(0)),
      'crossEntropy: logits is Null, and has to be a tensor',
    ],
    [
      'targets',
      () => crossEntropy(x, wrong([0, 1])),
      "crossEntropy: targets are each row's class in an Int32Array",
    ],
    [
      'classes as float32',
      () => crossEntropy(x, Float32Array.of(0, 1)),
      'crossEntropy: 2 probabilities (what a Float32Array holds; classes',
    ],
    [
      'SGD',
      () => new SGD(wrong([x]), { lr: 0.1 }),
      'SGD takes parameters: pass model.parameters(), or new Parameter(name, tensor) for a tensor',
    ],
  ])('%s', async (_, body, message) => {
    const error = await caught(body)
    expect(error).toBeInstanceOf(GraftError)
    expect((error as Error).message).toContain(message)
  })

  test.each([
    [
      'fit',
      () => fit(model, wrong('photos'), { epochs: 1 }),
      'the images are a dataset, await openData(path), not photos',
    ],
    [
      'evaluate',
      () => evaluate(model, wrong(openData('nowhere').catch(() => null))),
      'await openData(path), not [object Promise]',
    ],
    [
      'predict',
      () => predict(model, wrong('cat.jpg')),
      'predict takes a list of images, [image], not cat.jpg',
    ],
    [
      'fit without options',
      () => fit(model, data, wrong(undefined)),
      'fit takes its options as an object, such as { epochs }, not undefined',
    ],
    [
      'maxPool2d',
      () => maxPool2d(x, wrong(2)),
      'maxPool2d takes its options as an object, such as { kernel }, not 2',
    ],
    [
      'alexnet’s seed',
      () => alexnet(engine, { seed: 1.5 }),
      'seed is 1.5: give a non-negative integer up to 2^53 - 1',
    ],
    [
      'a scenario’s seed',
      () => applyScenario(model, { scenario: 'small-similar', classes: 3, seed: -1 }),
      'seed is -1: give a non-negative integer',
    ],
  ])('%s', async (_, body, message) => {
    const error = await caught(body)
    expect(error).toBeInstanceOf(GraftError)
    expect((error as Error).message).toContain(message)
  })
})

test.each([
  ['alexnet', () => alexnet(wrong(createEngineOn(nodeHost)))],
  ['importOnnx', () => importOnnx(wrong(createEngineOn(nodeHost)), new Uint8Array())],
  ['resizeCrop', () => resizeCrop(wrong(Promise.resolve(engine)), wrong({}), wrong({}))],
  ['engine.tensor', () => (wrong(createEngineOn(nodeHost)) as Engine).tensor(wrong([]), [0])],
])('%s with an engine that is not awaited', async (what, body) => {
  const message = 'the engine is a promise; createEngine() returns one: write await createEngine()'
  expect(await caught(body)).toEqual(new UsageError(`${what}: ${message}`))
})

test('one class is none to tell apart', async () => {
  const message = /^classes is 1: a network tells at least two classes apart; add one for all else/
  expect(() => applyScenario(model, { scenario: 'small-similar', classes: wrong(1) })).toThrow(
    message,
  )
  await expect(alexnet(engine, { classes: wrong(1) })).rejects.toThrow(message)
})

// A mistyped option must not be a default in disguise.
test.each<[string, () => unknown]>([
  ['createEngine', () => createEngineOn(nodeHost, wrong({ kernel: 'plain' }))],
  ['engine.tensor', () => engine.tensor(Float32Array.of(1), [1], wrong({ requires_grad: true }))],
  ['engine.record', () => engine.record(wrong({ value: true }))],
  ['forward', () => model.forward(x, wrong({ train: true }))],
  ['loadStateDict', () => model.loadStateDict({}, wrong({ stric: false }))],
  ['WeightAverage', () => new WeightAverage(model.parameters(), 0.9, wrong({ warmup: false }))],
  ['evaluate', () => evaluate(model, data, wrong({ batch_size: 4 }))],
  ['predict', () => predict(model, [], wrong({ topk: 1 }))],
  ['planMemory', () => planMemory(model, wrong({ batch: 4 }))],
  ['chooseScenario', () => chooseScenario(model, data, wrong({ samples: 4 }))],
  ['compareScenarios', () => compareScenarios(async () => model, data, wrong({ second: 4 }))],
  ['tune', () => tune(model, wrong({ batch: 4 }))],
  ['inspect', () => inspect(model, wrong({ image: 'cat.jpg' }))],
  ['openImageFolder', () => openImageFolder('nowhere', wrong({ spilt: 0.2 }))],
  ['fetchDataset', () => fetchDataset('hymenoptera', wrong({ onprogress: () => {} }))],
  ['FeatureCache', () => new FeatureCache(wrong({ dir: 'x' }))],
])('%s has no such option', async (what, body) => {
  const error = await caught(body)
  expect(error).toBeInstanceOf(UsageError)
  expect((error as Error).message).toMatch(
    new RegExp(`^${what}: there is no option \\w+; it takes `),
  )
})

test('a tensor of another engine is not read', async () => {
  const other = await testEngine('plain')
  const there = other.tensor(Float32Array.of(1), [1])
  expect(() => engine.read([there])).toThrow(
    new AutogradError('a tensor is read by the engine that it lives on'),
  )
  there.dispose()
})
