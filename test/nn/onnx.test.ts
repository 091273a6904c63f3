import { describe, expect, test } from 'vitest'
import { crossEntropy } from '../../src/autograd/functions.ts'
import { UsageError } from '../../src/base/errors.ts'
import { alexnet, variants } from '../../src/nn/alexnet.ts'
import { Flatten } from '../../src/nn/layers.ts'
import { Module } from '../../src/nn/module.ts'
import type { Network } from '../../src/nn/network.ts'
import { exportOnnx, importOnnx } from '../../src/nn/onnx.ts'
import { SGD } from '../../src/optim/sgd.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { applyScenario } from '../../src/transfer/scenario.ts'
import { expectClose, relativeError } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { onnxRuntime, runOnnx } from '../support/onnxruntime.ts'
import { fixture, fixturePath, images, logitTolerance, outputs, resultsOf } from './onnxSupport.ts'

const torchvisionNames = [0, 3, 6, 8, 10]
  .map((n) => `features.${n}`)
  .concat(['classifier.1', 'classifier.4', 'classifier.6'])
  .flatMap((layer) => [`${layer}.weight`, `${layer}.bias`])

describe('what PyTorch exports', () => {
  test.each([
    'flatten.onnx',
    'view.onnx',
    'training.onnx',
    'present.onnx',
    'open.onnx',
    'functions.onnx',
  ])('%s gives PyTorch’s logits, with torchvision’s names', async (name) => {
    const model = await importOnnx(await testEngine(), fixturePath(name))
    expect(model.parameters().map((parameter) => parameter.name)).toEqual(torchvisionNames)
    expect(model.architecture).toMatchObject({
      channels: [4, 6, 8, 6, 6],
      hidden: 16,
      classes: 5,
    })
    expect(model.architecture.dropout).toBe(name === 'training.onnx' ? 0.5 : 0)
    expect(model.preprocess).toEqual({
      size: 224,
      resize: 256,
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
      scale: 1,
      order: 'rgb',
    })
    expect(relativeError(await outputs(model), await resultsOf('logits'))).toBeLessThan(
      logitTolerance,
    )
    model.dispose()
  })

  test('three steps of SGD give PyTorch’s weights, also through an export of Graft’s', async () => {
    const engine = await testEngine()
    const first = await importOnnx(engine, await fixture('flatten.onnx'))
    const model = await importOnnx(engine, await exportOnnx(first))
    first.dispose()
    const optimizer = new SGD(model.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 5e-4 })
    const x = engine.tensor(images(2, 224), [2, 3, 224, 224])
    const losses: number[] = []
    for (let step = 0; step < 3; step++) {
      const loss = crossEntropy(model.forward(x), Int32Array.of(3, 1))
      losses.push((await loss.data())[0] ?? Number.NaN)
      loss.backward()
      optimizer.step()
      optimizer.zeroGrad()
      loss.dispose()
    }
    expect(relativeError(Float32Array.from(losses), await resultsOf('losses'))).toBeLessThan(1e-3)
    for (const [name, { data }] of Object.entries(await model.stateDict()))
      expect(relativeError(data, await resultsOf(`final.${name}`)), name).toBeLessThan(1e-3)
    expect(relativeError(await outputs(model), await resultsOf('trained'))).toBeLessThan(1e-3)
    if (onnxRuntime) {
      const there = await runOnnx(await exportOnnx(model), images(2, 224), [2, 3, 224, 224])
      expect(relativeError(there.data, await resultsOf('trained'))).toBeLessThan(1e-3)
    }
    x.dispose()
    optimizer.dispose()
    model.dispose()
  })
})

const narrow = { channels: [4, 6, 8, 6, 6], hidden: 16, classes: 7 }

const prepared = {
  'as it is': () => {},
  'last layer replaced': (model: Network) =>
    applyScenario(model, { scenario: 'small-similar', classes: 3 }),
  'FC end replaced': (model: Network) =>
    applyScenario(model, { scenario: 'large-similar', classes: 3, replace: 'all' }),
  'cut after features.7': (model: Network) =>
    applyScenario(model, { scenario: 'small-different', classes: 3 }),
}
const networks = variants.flatMap((variant) =>
  Object.entries(prepared).map(([what, prepare]) => ({ variant, what, prepare })),
)

describe('what Graft exports', () => {
  test.each(networks)(
    '$variant, $what, comes back the same: layers, numbers, metadata and bytes',
    async ({ variant, prepare }) => {
      const engine = await testEngine()
      const model = await alexnet(engine, { variant, ...narrow, seed: 3 })
      prepare(model)
      model.classNames = Array.from(
        { length: model.shapes().at(-1)?.[0] ?? 0 },
        (_, i) => `class ${i}, "é"`,
      )
      const bytes = await exportOnnx(model)
      const back = await importOnnx(engine, bytes)
      expect(back.layers.map(({ name, description }) => [name, description])).toEqual(
        model.layers.map(({ name, description }) => [name, description]),
      )
      expect([back.preprocess, back.classNames, back.architecture.variant]).toEqual([
        model.preprocess,
        model.classNames,
        variant,
      ])
      expect(await back.stateDict()).toEqual(await model.stateDict())
      expect(Buffer.compare(await exportOnnx(back), bytes)).toBe(0)
      for (const network of [model, back]) network.dispose()
    },
  )

  // Installed with the benchmarks: 'npm ci --prefix bench --ignore-scripts'.
  const inOnnxRuntime = onnxRuntime ? test : test.skip
  inOnnxRuntime.each(networks)(
    '$variant, $what, gives the same logits in ONNX Runtime, for any batch',
    async ({ variant, prepare }) => {
      const model = await alexnet(await testEngine(), { variant, ...narrow, seed: 5 })
      prepare(model)
      // Biases are zero at first: let them differ.
      const values = await model.stateDict()
      for (const [name, { data }] of Object.entries(values))
        if (name.endsWith('.bias')) for (const i of data.keys()) data[i] = Math.sin(i + 1) / 10
      model.loadStateDict(values)
      const bytes = await exportOnnx(model)
      const { size } = model.preprocess
      for (const n of [1, 3]) {
        const there = await runOnnx(bytes, images(n, size), [n, 3, size, size])
        expect(there.shape).toEqual([n, model.shapes().at(-1)?.[0]])
        expectClose(await outputs(model, n), there.data, there.shape, { relative: logitTolerance })
      }
      model.dispose()
    },
  )

  test('a layer of one’s own is named, rather than left out', async () => {
    class Square extends Module {
      readonly description = 'x²'
      outShape(shape: readonly number[]) {
        return shape
      }
      forward(x: Tensor) {
        return x
      }
    }
    const model = await alexnet(await testEngine(), { variant: 'alexnet-64', ...narrow })
    model.replaceAfter('features.12', [new Square('mine'), new Flatten('flatten')])
    await expect(exportOnnx(model)).rejects.toThrow(UsageError)
    await expect(exportOnnx(model)).rejects.toThrow(
      /layer mine \(x²\) cannot be written as an ONNX operator/,
    )
    model.dispose()
  })
})
