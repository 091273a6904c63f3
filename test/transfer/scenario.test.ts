import { describe, expect, test } from 'vitest'
import { crossEntropy } from '../../src/autograd/functions.ts'
import { Random } from '../../src/base/random.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Network } from '../../src/nn/network.ts'
import { SGD } from '../../src/optim/sgd.ts'
import { applyScenario, type ScenarioOptions, scenarios } from '../../src/transfer/scenario.ts'
import { sameBits } from '../support/bits.ts'
import { testEngine } from '../support/engine.ts'

const small = { variant: 'alexnet-64', channels: [4, 6, 8, 8, 6], hidden: 12, classes: 5 } as const

/** A narrow network that counts as pretrained: its weights came from somewhere. */
async function pretrained(missing: readonly string[] = []): Promise<Network> {
  const engine = await testEngine()
  const source = await alexnet(engine, { ...small, seed: 9 })
  const state = await source.stateDict()
  source.dispose()
  return alexnet(engine, {
    ...small,
    weights: Object.fromEntries(Object.entries(state).filter(([name]) => !missing.includes(name))),
  })
}

const names = (numbers: readonly string[]) =>
  numbers.flatMap((name) => [`${name}.weight`, `${name}.bias`])
const features = (...numbers: number[]) => names(numbers.map((i) => `features.${i}`))
const classifier = (...numbers: number[]) => names(numbers.map((i) => `classifier.${i}`))

describe('the plan', () => {
  test.each<
    [
      string,
      ScenarioOptions,
      { frozen: string[]; trained: string[]; inputs: number; startsFrom: string },
    ]
  >([
    [
      'small-similar',
      { scenario: 'small-similar', classes: 3 },
      {
        frozen: [...features(0, 3, 6, 8, 10), ...classifier(1, 4)],
        trained: classifier(6),
        inputs: 12,
        startsFrom: 'pretrained',
      },
    ],
    [
      'small-similar, all',
      { scenario: 'small-similar', classes: 3, replace: 'all' },
      {
        frozen: features(0, 3, 6, 8, 10),
        trained: classifier(6),
        inputs: 54,
        startsFrom: 'pretrained',
      },
    ],
    [
      'small-different',
      { scenario: 'small-different', classes: 3 },
      {
        frozen: features(0, 3, 6),
        trained: classifier(6),
        inputs: 8 * 49,
        startsFrom: 'pretrained',
      },
    ],
    [
      'small-different, cut at the second pool',
      { scenario: 'small-different', classes: 3, cut: 'features.5' },
      { frozen: features(0, 3), trained: classifier(6), inputs: 6 * 49, startsFrom: 'pretrained' },
    ],
    [
      'large-similar',
      { scenario: 'large-similar', classes: 3 },
      {
        frozen: [],
        trained: [...features(0, 3, 6, 8, 10), ...classifier(1, 4, 6)],
        inputs: 12,
        startsFrom: 'pretrained',
      },
    ],
    [
      'large-different',
      { scenario: 'large-different', classes: 3 },
      {
        frozen: [],
        trained: [...features(0, 3, 6, 8, 10), ...classifier(1, 4, 6)],
        inputs: 12,
        startsFrom: 'random',
      },
    ],
    [
      'large-different from pretrained',
      { scenario: 'large-different', classes: 3, init: 'pretrained' },
      {
        frozen: [],
        trained: [...features(0, 3, 6, 8, 10), ...classifier(1, 4, 6)],
        inputs: 12,
        startsFrom: 'pretrained',
      },
    ],
  ])('%s', async (_, options, wanted) => {
    const model = await pretrained()
    const plan = applyScenario(model, options)
    const head = model.parameters().find((p) => p.name === 'classifier.6.weight')
    expect({
      frozen: plan.frozen,
      trained: plan.trained,
      inputs: head?.shape[1],
      startsFrom: plan.startsFrom,
    }).toEqual(wanted)
    expect(
      model
        .parameters()
        .filter((p) => p.trainable)
        .map((p) => p.name),
    ).toEqual(wanted.trained)
    expect(model.shapes().at(-1)).toEqual([3])
    model.dispose()
  })

  test.each([
    [{ cut: 'features.5', replace: 'all' }, 'features.5', 'all'],
    [{ cut: null, replace: 'all' }, null, 'all'],
    [{ cut: null, replace: 'last' }, null, 'last'],
  ] as const)('what auto chose is taken as it is: %j', async (head, cut, replace) => {
    const model = await pretrained()
    const evidence = { classes: 3, images: 900 }
    const plan = applyScenario(model, { scenario: 'small-similar', ...head, evidence })
    expect(plan).toMatchObject({ scenario: 'small-similar', cut, replace, classes: 3 })
    model.dispose()
  })

  test('hidden FC layers that the weights lack are never kept frozen', async () => {
    const model = await pretrained(classifier(1, 4, 6))
    const plan = applyScenario(model, { scenario: 'small-similar', classes: 3, replace: 'last' })
    expect([plan.replace, plan.frozen]).toEqual(['all', features(0, 3, 6, 8, 10)])
    expect(plan.reasons.join(' ')).toMatch(/classifier\.1\.weight.*all FC layers are replaced/)
    model.dispose()
  })

  test('a random frozen trunk is allowed, and called a control', async () => {
    const model = await alexnet(await testEngine(), small)
    const plan = applyScenario(model, { scenario: 'small-similar', classes: 3 })
    expect([plan.startsFrom, plan.frozen.length, plan.reasons.join(' ')]).toEqual([
      'random',
      14,
      expect.stringMatching(/control/),
    ])
    model.dispose()
  })

  test('kept weights stay, a large-different trunk does not, and init and seed are heeded', async () => {
    const kept = await pretrained()
    const before = await kept.stateDict()
    applyScenario(kept, { scenario: 'large-similar', classes: 3 })
    expect((await kept.stateDict())['features.3.weight']).toEqual(before['features.3.weight'])
    const fresh = await pretrained()
    applyScenario(fresh, {
      scenario: 'large-different',
      classes: 3,
      init: { kind: 'constant', value: 0.25 },
    })
    for (const [name, { data }] of Object.entries(await fresh.stateDict()))
      expect(new Set(data), name).toEqual(new Set([name.endsWith('bias') ? 0 : 0.25]))
    const heads = await Promise.all(
      [1, 1, 2].map(async (seed) => {
        const model = await pretrained()
        applyScenario(model, { scenario: 'small-similar', classes: 3, seed })
        const { data } = (await model.stateDict())['classifier.6.weight'] ?? {
          data: new Float32Array(0),
        }
        model.dispose()
        return data
      }),
    )
    expect(heads[1]).toEqual(heads[0])
    expect(heads[2]).not.toEqual(heads[0])
    const bound = Math.sqrt(6 / (12 + 3)) // Glorot & Bengio's, for 12 inputs and 3 outputs
    expect(Math.max(...(heads[0] ?? []).map(Math.abs))).toBeLessThanOrEqual(bound)
    for (const model of [kept, fresh]) model.dispose()
  })

  test.each<[ScenarioOptions, RegExp]>([
    [{ scenario: 'auto' as 'small-similar', classes: 3 }, /no scenario 'auto'/],
    [{ scenario: 'small-similar', classes: 0 }, /classes is a positive integer/],
    [{ scenario: 'small-different', classes: 3, replace: 'last' }, /always replaces/],
    [
      { scenario: 'small-similar', classes: 3, cut: 'features.99' },
      /no layer features\.99; the layers are features\.0/,
    ],
    [{ scenario: 'small-similar', classes: 3, cut: 'classifier.6' }, /is the one that is replaced/],
    [
      { scenario: 'small-similar', classes: 3, cut: 'features.5', replace: 'last' },
      /no FC layers are left/,
    ],
    [{ scenario: 'small-similar', classes: 3, init: 'pretrained' }, /for large-different/],
    [
      { scenario: 'small-similar', classes: 3, init: 'zeros' as 'constant' },
      /no initializer 'zeros'/,
    ],
    [
      { scenario: 'large-different', classes: 3, init: { kind: 'normal', std: Number.NaN } },
      /std of the initializer .* not NaN/,
    ],
    [{ scenario: 'small-similar', classes: 3, seed: 0.5 }, /seed is 0\.5/],
    [
      { scenario: 'small-similar', classes: 3, freeze: ['features.0.*', 'conv*'] },
      /no parameter matches 'conv\*'/,
    ],
    [
      { scenario: 'small-similar', classes: 3, replace: 'all', train: ['classifier.1.*'] },
      /no parameter matches 'classifier\.1\.\*'/,
    ],
    [
      { scenario: 'small-similar', classes: 3, unfreeze: true } as ScenarioOptions,
      /no option unfreeze/,
    ],
  ])('%j is refused, and the network is left as it was', async (options, message) => {
    const model = await pretrained()
    const before = [
      model.layers.map(({ name }) => name),
      model.parameters().map(({ trainable }) => trainable),
      await model.stateDict(),
    ]
    expect(() => applyScenario(model, options)).toThrow(
      expect.objectContaining({ name: 'UsageError', message: expect.stringMatching(message) }),
    )
    const after = [
      model.layers.map(({ name }) => name),
      model.parameters().map(({ trainable }) => trainable),
      await model.stateDict(),
    ]
    expect(after).toEqual(before)
    model.dispose()
  })
})

describe('training changes what trains and nothing else', () => {
  const image = (random: Random, n: number) => {
    const data = new Float32Array(n * 3 * 64 * 64)
    random.fillNormal(data, 0, 1)
    return data
  }

  test.each(scenarios.map((scenario) => [scenario]))('%s', async (scenario) => {
    const engine = await testEngine()
    const model = await pretrained()
    applyScenario(model, { scenario, classes: 3 })
    const before = await model.stateDict()
    const optimizer = new SGD(model.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 1e-2 })
    const random = new Random(1)
    for (let step = 0; step < 3; step++) {
      const x = engine.tensor(image(random, 4), [4, 3, 64, 64])
      const loss = crossEntropy(model.forward(x, { training: true }), Int32Array.of(0, 1, 2, step))
      loss.backward()
      for (const p of model.parameters())
        expect(p.tensor.grad !== null, `${p.name} holds a gradient`).toBe(p.trainable)
      optimizer.step()
      optimizer.zeroGrad()
      for (const tensor of [x, loss]) tensor.dispose()
    }
    const after = await model.stateDict()
    for (const p of model.parameters()) {
      expect(sameBits(after[p.name]?.data, before[p.name]?.data), `${p.name} is unchanged`).toBe(
        !p.trainable,
      )
    }
    optimizer.dispose()
    model.dispose()
  })

  test('flags may change between steps, in any pattern', async () => {
    const engine = await testEngine()
    const model = await pretrained()
    const optimizer = new SGD(model.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 1e-2 })
    const random = new Random(2)
    for (let step = 0; step < 6; step++) {
      for (const p of model.parameters()) p.trainable = random.uniform() < 0.5
      const first = model.parameters()[step]
      if (first) first.trainable = true
      const before = await model.stateDict()
      const x = engine.tensor(image(random, 2), [2, 3, 64, 64])
      const loss = crossEntropy(model.forward(x), Int32Array.of(0, 4))
      loss.backward()
      optimizer.step()
      optimizer.zeroGrad()
      const after = await model.stateDict()
      for (const p of model.parameters())
        expect(
          sameBits(after[p.name]?.data, before[p.name]?.data),
          `step ${step}: ${p.name} is unchanged`,
        ).toBe(!p.trainable)
      for (const tensor of [x, loss]) tensor.dispose()
    }
    optimizer.dispose()
    model.dispose()
  })

  test('three hundred steps hold no more memory than twenty', async () => {
    const engine = await testEngine()
    const model = await pretrained()
    applyScenario(model, { scenario: 'large-similar', classes: 3 })
    const optimizer = new SGD(model.parameters(), { lr: 1e-3, momentum: 0.9 })
    const data = image(new Random(3), 2)
    let early = engine.memory()
    for (let step = 1; step <= 300; step++) {
      const x = engine.tensor(data, [2, 3, 64, 64])
      const loss = crossEntropy(model.forward(x, { training: true }), Int32Array.of(0, 1))
      loss.backward()
      optimizer.step()
      optimizer.zeroGrad()
      engine.gpu.submit()
      for (const tensor of [x, loss]) tensor.dispose()
      if (step % 10 === 0) await engine.gpu.settle()
      if (step === 20) early = engine.memory()
    }
    expect(engine.memory()).toEqual(early)
    optimizer.dispose()
    model.dispose()
  })
})
