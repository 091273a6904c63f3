import { describe, expect, test } from 'vitest'
import { crossEntropy, linear } from '../../src/autograd/functions.ts'
import { UsageError, WeightsError } from '../../src/base/errors.ts'
import type { StateDict } from '../../src/base/stateDict.ts'
import { alexnet, type Variant } from '../../src/nn/alexnet.ts'
import { Linear, ReLU } from '../../src/nn/layers.ts'
import { sizeOf } from '../../src/tensor/ndbuffer.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { sameBits } from '../support/bits.ts'
import { testEngine } from '../support/engine.ts'

const small = { variant: 'alexnet-64', channels: [4, 6, 8, 8, 6], hidden: 12, classes: 5 } as const

describe('the three variants', () => {
  test.each([
    // torchvision's count is published; the others follow from the layers DESIGN gives.
    ['torchvision', 61_100_840, [256, 6, 6], [3, 224, 224]],
    ['bvlc', 60_965_224, [256, 6, 6], [3, 227, 227]],
    ['alexnet-64', 1_205_156, [96, 3, 3], [3, 64, 64]],
  ] as const)(
    '%s has %i parameters and the right shapes',
    async (variant, count, features, input) => {
      const engine = await testEngine()
      const before = engine.memory().liveBytes
      const model = await alexnet(engine, { variant: variant as Variant })
      expect(model.parameters().reduce((sum, p) => sum + sizeOf(p.shape), 0)).toBe(count)
      const shapes = model.shapes()
      expect(shapes[0]).toEqual(input)
      expect(shapes[model.layers.findIndex((layer) => layer.name === 'flatten')]).toEqual(features)
      expect(model.missing).toEqual([])
      expect(engine.memory().liveBytes, 'values are made when they are first read').toBe(before)
      model.dispose()
    },
  )

  test('parameter names are torchvision’s in every variant', async () => {
    const engine = await testEngine()
    const names = [0, 3, 6, 8, 10]
      .map((i) => `features.${i}`)
      .concat([1, 4, 6].map((i) => `classifier.${i}`))
    const wanted = names.flatMap((name) => [`${name}.weight`, `${name}.bias`])
    for (const variant of ['torchvision', 'bvlc', 'alexnet-64'] as const) {
      const model = await alexnet(engine, { variant })
      expect(model.parameters().map((p) => p.name)).toEqual(wanted)
    }
  })

  test('bvlc normalizes after the first two ReLUs and convolves in groups', async () => {
    const model = await alexnet(await testEngine(), { variant: 'bvlc' })
    expect(model.layers.slice(0, 8).map((layer) => layer.name)).toEqual([
      'features.0',
      'features.1',
      'features.1.lrn',
      'features.2',
      'features.3',
      'features.4',
      'features.4.lrn',
      'features.5',
    ])
    const shape = (name: string) => model.parameters().find((p) => p.name === name)?.shape
    expect([
      shape('features.3.weight'),
      shape('features.8.weight'),
      shape('features.10.weight'),
    ]).toEqual([
      [256, 48, 5, 5],
      [384, 192, 3, 3],
      [256, 192, 3, 3],
    ])
    expect(model.preprocess).toMatchObject({
      size: 227,
      order: 'bgr',
      scale: 255,
      mean: [104, 117, 123],
    })
  })
})

describe('a ReLU is part of the launch before it', () => {
  test.each(['alexnet-64', 'bvlc'] as const)(
    '%s: the same bits as launched apart, in both passes',
    async (variant) => {
      const engine = await testEngine()
      const model = await alexnet(engine, { ...small, variant, seed: 2, dropout: 0 })
      const { size } = model.preprocess
      const x = engine.tensor(
        Float32Array.from({ length: 3 * size * size }, (_, i) => Math.sin(i)),
        [1, 3, size, size],
      )
      const results: Float32Array[][] = []
      const launched: number[] = []
      for (const cuts of [[model.layers.length], Array.from(model.layers, (_, i) => i + 1)]) {
        const recorder = engine.record()
        const parts = [x]
        let from = 0
        for (const to of cuts) {
          parts.push(model.forward(parts.at(-1) ?? x, { from, to }))
          from = to
        }
        const logits = parts.at(-1) ?? x
        const { dispatches } = await recorder.finish()
        launched.push(dispatches.filter(({ kernel }) => kernel === 'relu/forward.wgsl').length)
        const loss = crossEntropy(logits, Int32Array.of(1))
        const read = engine.readLater([logits])
        loss.backward()
        const gradients = await engine.read(model.parameters().flatMap(({ grad }) => grad ?? []))
        results.push([...(await read()), ...gradients])
        for (const parameter of model.parameters()) parameter.dropGrad()
        for (const tensor of [...parts.slice(1), loss]) tensor.dispose()
      }
      expect(launched).toEqual([0, 7])
      expect(results[0]).toHaveLength(17)
      for (const [i, one] of (results[0] ?? []).entries())
        expect(sameBits(one, results[1]?.[i])).toBe(true)
      for (const one of [x, model]) one.dispose()
    },
  )

  test('but not of a layer, nor for a ReLU, whose forward is its own', async () => {
    const engine = await testEngine()
    class Doubled extends Linear {
      override forward(x: Tensor) {
        return linear(x, this.weight.tensor, this.weight.tensor)
      }
    }
    class Shifted extends ReLU {
      override forward(x: Tensor) {
        return x
      }
    }
    const init = { weight: 'kaiming-normal', seed: 1, stream: 0 } as const
    const [own, plain] = [Doubled, Linear].map((Layer) => new Layer(engine, 'fc', 2, 2, init))
    expect(plain?.canApply(new ReLU('relu'))).toBe(true)
    expect(plain?.canApply(new Shifted('relu'))).toBe(false)
    expect(plain?.canApply(new Linear(engine, 'fc2', 2, 2, init))).toBe(false)
    expect(own?.canApply(new ReLU('relu'))).toBe(false)
  })

  test('unless what is asked for ends, or begins, between them', async () => {
    const engine = await testEngine()
    const model = await alexnet(engine, { ...small, seed: 2 })
    const x = engine.tensor(
      Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => Math.sin(i)),
      [1, 3, 64, 64],
    )
    const [sum, whole] = engine.noGrad(() => [
      model.forward(x, { to: 1 }),
      model.forward(x, { to: 2 }),
    ])
    const rest = engine.noGrad(() => model.forward(sum, { from: 1, to: 2 }))
    const [a, b, c] = await engine.read([sum, whole, rest])
    expect(a?.some((value) => value < 0)).toBe(true)
    expect(b).toEqual(a?.map((value) => Math.max(value, 0)))
    expect(sameBits(c, b)).toBe(true)
    for (const one of [x, sum, whole, rest, model]) one.dispose()
  })
})

describe('weights', () => {
  test('the shipped weights load by name, with their classes', async () => {
    const model = await alexnet(await testEngine(), { weights: 'alexnet-64-tinyimagenet100' })
    expect([
      model.architecture.variant,
      model.architecture.classes,
      model.classNames?.[0],
      model.pretrained,
    ]).toEqual(['alexnet-64', 100, 'goldfish', true])
    model.dispose()
  })

  test('values come back as they went in, and the same seed gives the same values', async () => {
    const engine = await testEngine()
    const [a, b, c] = await Promise.all([
      alexnet(engine, { ...small, seed: 3 }),
      alexnet(engine, { ...small, seed: 3 }),
      alexnet(engine, { ...small, seed: 4 }),
    ])
    const [stateA, stateB, stateC] = await Promise.all([
      a.stateDict(),
      b.stateDict(),
      c.stateDict(),
    ])
    expect(stateB).toEqual(stateA)
    expect(stateC['features.0.weight']?.data).not.toEqual(stateA['features.0.weight']?.data)
    expect(stateA['features.3.weight']?.data.slice(0, 3)).not.toEqual(
      stateA['features.0.weight']?.data.slice(0, 3),
    )
    c.loadStateDict(stateA)
    expect(await c.stateDict()).toEqual(stateA)
    for (const model of [a, b, c]) model.dispose()
  })

  test('Caffe’s names are understood, absent parameters keep their initial values and are named', async () => {
    const engine = await testEngine()
    const channels = [4, 6, 8, 8, 6]
    const source = await alexnet(engine, {
      variant: 'bvlc',
      channels,
      hidden: 8,
      classes: 3,
      seed: 1,
    })
    const state = await source.stateDict()
    const numbers = [0, 3, 6, 8, 10]
    const caffe: StateDict = Object.fromEntries(
      numbers.flatMap((number, i) =>
        ['weight', 'bias'].map((kind) => [
          `conv${i + 1}.${kind}`,
          state[`features.${number}.${kind}`] ?? { shape: [], data: new Float32Array(0) },
        ]),
      ),
    )
    const model = await alexnet(engine, {
      variant: 'bvlc',
      channels,
      hidden: 8,
      classes: 3,
      seed: 1,
      weights: caffe,
    })
    expect(model.missing).toEqual(
      [1, 4, 6].flatMap((i) => [`classifier.${i}.weight`, `classifier.${i}.bias`]),
    )
    expect(await model.stateDict()).toEqual(state)
    for (const one of [source, model]) one.dispose()
  })

  test('unknown names, other shapes and nothing that fits are errors, and change nothing', async () => {
    const engine = await testEngine()
    const model = await alexnet(engine, small)
    const state = await model.stateDict()
    const array = (shape: number[]) => ({ shape, data: new Float32Array(sizeOf(shape)) })
    expect(() => model.loadStateDict({ ...state, 'features.99.weight': array([1]) })).toThrow(
      /no parameter features\.99\.weight/,
    )
    expect(() => model.loadStateDict({ ...state, 'features.0.bias': array([5]) })).toThrow(
      /features\.0\.bias has the shape \[5\] in the weights, \[4\] in the network/,
    )
    expect(() => model.loadStateDict({ 'features.0.bias': array([4]) })).toThrow(
      /lack features\.0\.weight/,
    )
    expect(() => model.loadStateDict({})).toThrow(WeightsError)
    expect(await model.stateDict()).toEqual(state)
    await expect(alexnet(engine, { ...small, weights: {} })).rejects.toThrow(/none of the network/)
    await expect(
      alexnet(engine, { ...small, weights: { 'features.0.bias': array([5]) } }),
    ).rejects.toThrow(WeightsError)
    await expect(
      alexnet(engine, { ...small, weights: 'alexnet-64-tinyimagenet100' }),
    ).rejects.toThrow(/does not fit alexnet-64/)
    model.dispose()
  })

  test('options that do not exist or do not fit are named', async () => {
    const engine = await testEngine()
    await expect(alexnet(engine, { variant: 'vgg' as Variant })).rejects.toThrow(UsageError)
    await expect(alexnet(engine, { channels: [1, 2, 3] })).rejects.toThrow(/five positive integers/)
    await expect(alexnet(engine, { variant: 'bvlc', channels: [3, 4, 4, 4, 4] })).rejects.toThrow(
      /groups/,
    )
    await expect(alexnet(engine, { dropout: 1 })).rejects.toThrow(/dropout/)
    await expect(alexnet(engine, { seed: -1 })).rejects.toThrow(/seed is -1/)
    await expect(alexnet(engine, { depth: 3 } as object)).rejects.toThrow(/no option depth/)
  })

  test('images of another size are refused with both sizes', async () => {
    const engine = await testEngine()
    const model = await alexnet(engine, small)
    const x = engine.tensor(new Float32Array(3 * 32 * 32), [1, 3, 32, 32])
    expect(() => model.forward(x)).toThrow(/takes \[N, 3, 64, 64\], not \[1, 3, 32, 32\]/)
    x.dispose()
    model.dispose()
  })
})
