/**
 * Tensors larger than one binding: an engine whose limit is low computes, in parts, what an engine
 * that binds them whole does.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crossEntropy, linear } from '../../src/autograd/functions.ts'
import { Random } from '../../src/base/random.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { Parameter } from '../../src/nn/parameter.ts'
import { allFinite } from '../../src/ops/finite.ts'
import { Adam } from '../../src/optim/adam.ts'
import { SGD } from '../../src/optim/sgd.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { expectClose, sumTolerance } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'

const low = 16_384

const normal = (seed: number, n: number) => {
  const values = new Float32Array(n)
  new Random(seed).fillNormal(values, 0, 1)
  return values
}

/** Output and gradients of a dense layer. */
async function dense(engine: Engine, n: number, inputs: number, outputs: number, bias: boolean) {
  const leaf = (seed: number, shape: number[]) =>
    engine.tensor(
      normal(
        seed,
        shape.reduce((a, b) => a * b, 1),
      ),
      shape,
      { requiresGrad: true },
    )
  const [x, w, b] = [
    leaf(1, [n, inputs]),
    leaf(2, [outputs, inputs]),
    bias ? leaf(3, [outputs]) : null,
  ]
  const dy = engine.tensor(normal(4, n * outputs), [n, outputs])
  const y = linear(x, w, b)
  y.backward(dy)
  const values = await engine.read([y, ...[x, w, ...(b ? [b] : [])].map(({ grad }) => grad ?? y)])
  for (const tensor of [x, w, b, y, dy]) tensor?.dispose()
  return values
}

describe.each(['auto', 'plain'] as const)('with %s kernels', (kernels) => {
  test('a dense layer gives the same bits, but for the input gradient, whose sum is put together from parts', async () => {
    const [whole, parts] = [await testEngine(kernels), await testEngine(kernels, low)]
    // 8 rows of 300 floats, x and y packed, fit the limit; 33 and 250 inputs have rows that begin
    // anywhere, 64 and 256 ones where bindings may.
    const inputs = fc.oneof(fc.constantFrom(33, 60, 64, 250, 256), fc.integer({ min: 1, max: 256 }))
    const shape = fc.tuple(
      fc.integer({ min: 1, max: 8 }),
      inputs,
      fc.integer({ min: 1, max: 300 }),
      fc.boolean(),
    )
    await fc.assert(
      fc.asyncProperty(shape, async ([n, inputs, outputs, bias]) => {
        const before = parts.memory()
        const [wanted, actual] = [
          await dense(whole, n, inputs, outputs, bias),
          await dense(parts, n, inputs, outputs, bias),
        ]
        expect(parts.memory()).toMatchObject({
          liveBytes: before.liveBytes,
          buffers: before.buffers,
        })
        for (const [i, name] of [
          'y',
          'gradient of x',
          'gradient of weight',
          'gradient of bias',
        ].entries()) {
          const [want, got] = [wanted[i], actual[i]]
          if (!want || !got) continue
          // A sum of `outputs` products of deviation 1 and values of either sign.
          if (i === 1)
            expectClose(got, want, [n, inputs], {
              relative: sumTolerance(outputs),
              absolute: sumTolerance(outputs),
              name,
            })
          else expect(got, name).toEqual(want)
        }
      }),
      {
        numRuns: 30,
        seed: 5,
        examples: [[[8, 250, 300, true]], [[8, 256, 300, false]], [[1, 33, 129, true]]],
        endOnFailure: true,
      },
    )
  })
})

describe('parameters', () => {
  test('optimizers take the same steps, bit for bit, and gradients add up', async () => {
    const n = 10_007
    const train = async (engine: Engine) => {
      const parameters = ['a', 'b'].map(
        (name, i) => new Parameter(name, engine.tensor(normal(i, n), [n])),
      )
      const [sgd, adam] = [
        new SGD(parameters.slice(0, 1), {
          lr: 0.1,
          momentum: 0.9,
          nesterov: true,
          weightDecay: 0.01,
        }),
        new Adam(parameters.slice(1), { lr: 0.01, weightDecay: 0.01 }),
      ]
      const guard = engine.tensor(Float32Array.of(0), [1])
      for (let step = 0; step < 3; step++) {
        for (const { tensor } of parameters)
          for (const seed of [10 + step, 20 + step]) {
            const dy = engine.tensor(normal(seed, n), [n])
            tensor.backward(dy)
            dy.dispose()
          }
        for (const optimizer of [sgd, adam]) {
          optimizer.step(step === 1 ? {} : { guard })
          optimizer.zeroGrad()
        }
      }
      const values = await engine.read(parameters.map(({ tensor }) => tensor))
      for (const optimizer of [sgd, adam]) optimizer.dispose()
      for (const parameter of parameters) parameter.dispose()
      guard.dispose()
      return values
    }
    expect(await train(await testEngine('auto', low))).toEqual(await train(await testEngine()))
  })

  test.each([0, 4096, 9999, 10_006])('a NaN at %d is found', async (at) => {
    const engine = await testEngine('auto', low)
    const data = new Float32Array(10_007)
    const fine = engine.tensor(data, [data.length])
    data[at] = Number.NaN
    const broken = engine.tensor(data, [data.length])
    expect(await allFinite(engine, [fine, broken, fine])).toEqual([true, false, true])
    for (const tensor of [fine, broken]) tensor.dispose()
  })

  test('SGD without momentum keeps nothing', async () => {
    const engine = await testEngine('auto', low)
    const parameter = new Parameter('w', engine.tensor(normal(1, 9000), [9000]))
    const optimizer = new SGD([parameter], { lr: 0.1 })
    const dy = engine.tensor(normal(2, 9000), [9000])
    parameter.tensor.backward(dy)
    const before = engine.memory()
    optimizer.step()
    expect(engine.memory()).toEqual(before)
    expect(await optimizer.stateDict()).toEqual({})
    for (const one of [optimizer, parameter, dy]) one.dispose()
  })
})

test('a whole network trains to the same weights', async () => {
  const train = async (engine: Engine) => {
    const model = await alexnet(engine, {
      variant: 'alexnet-64',
      channels: [4, 4, 4, 4, 8],
      hidden: 300,
      classes: 5,
      seed: 3,
    })
    const optimizer = new SGD(model.parameters(), { lr: 0.01, momentum: 0.9 })
    const losses: number[] = []
    for (let step = 0; step < 3; step++) {
      const x = engine.tensor(normal(step, 2 * 3 * 64 * 64), [2, 3, 64, 64])
      const loss = crossEntropy(model.forward(x, { training: true }), Int32Array.of(0, 3))
      loss.backward()
      optimizer.step()
      optimizer.zeroGrad()
      losses.push((await loss.data())[0] ?? Number.NaN)
      for (const tensor of [x, loss]) tensor.dispose()
    }
    const weights = Object.values(await model.stateDict()).flatMap(({ data }) => [...data])
    optimizer.dispose()
    model.dispose()
    return { losses, weights }
  }
  // Activations fit 128 KiB, classifier.4.weight of 352 KiB does not.
  const [wanted, actual] = [
    await train(await testEngine()),
    await train(await testEngine('auto', 2 ** 17)),
  ]
  expectClose(actual.losses, wanted.losses, [3], { relative: 1e-5 })
  expectClose(actual.weights, wanted.weights, [wanted.weights.length], { relative: 1e-5 })
})
