import { describe, expect, test } from 'vitest'
import { UsageError, WeightsError } from '../../src/base/errors.ts'
import type { StateDict } from '../../src/base/stateDict.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { sizeOf } from '../../src/tensor/ndbuffer.ts'
import { applyScenario } from '../../src/transfer/scenario.ts'
import { testEngine } from '../support/engine.ts'

const small = { variant: 'alexnet-64', channels: [4, 6, 8, 8, 6], hidden: 12, classes: 5 } as const

const engine = await testEngine()
const source = await alexnet(engine, { ...small, seed: 9 })
const state = await source.stateDict()
source.dispose()

const array = (...shape: number[]) => ({ shape, data: new Float32Array(sizeOf(shape)).fill(0.5) })
const only = (part: string): StateDict =>
  Object.fromEntries(Object.entries(state).filter(([name]) => name.startsWith(part)))
const behind = (prefix: string, weights: StateDict): StateDict =>
  Object.fromEntries(Object.entries(weights).map(([name, value]) => [`${prefix}${name}`, value]))

describe('what the network does not know', () => {
  test.each<[string, StateDict, string[]]>([
    ['beside its layers', { ...state, 'loss_fn.weight': array(3) }, ['loss_fn.weight']],
    [
      'beside and behind the prefix',
      { ...behind('model.', { ...state, 'metric.total': array() }), n_averaged: array() },
      ['n_averaged', 'metric.total'],
    ],
    [
      'a head under another name',
      { ...only('features.'), 'fc.weight': array(2, 54) },
      ['fc.weight'],
    ],
  ])('is ignored and listed: %s', async (_, weights, ignored) => {
    const model = await alexnet(engine, { variant: 'alexnet-64', weights })
    expect(model.ignored).toEqual(ignored)
    for (const name of ignored) expect(model.remarks.join()).toContain(`"${name}"`)
    expect((await model.stateDict())['features.10.bias']).toEqual(state['features.10.bias'])
    model.dispose()
  })

  test.each<[string, string, number[]]>([
    ['pruning', 'features.0.weight_orig', [4, 3, 5, 5]],
    ['batch normalization', 'features.3.running_mean', [6]],
    ['a layer that has no parameters', 'features.1.weight', [4]],
    ['a parametrization', 'features.6.parametrizations.weight.original0', [8]],
    ['a convolution too many', 'features.12.weight', [6, 6, 3, 3]],
  ])('is an error inside of them: %s', async (_, name, shape) => {
    for (const prefix of ['', 'module.'])
      await expect(
        alexnet(engine, { weights: behind(prefix, { ...state, [name]: array(...shape) }) }),
      ).rejects.toThrow(`AlexNet has no parameter ${name}:`)
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('no %s is taken over', async (value) => {
    const broken = { shape: [6], data: new Float32Array(6).fill(value, 4) }
    const failed = alexnet(engine, { weights: { ...state, 'features.10.bias': broken } })
    await expect(failed).rejects.toThrow(
      `the weights: the parameter features.10.bias is not finite, with ${value} at index 4; `,
    )
    const beside = { ...state, 'loss.bias': broken }
    const model = await alexnet(engine, { variant: 'alexnet-64', weights: beside })
    expect(model.ignored).toEqual(['loss.bias'])
    model.dispose()
  })

  test('another network is called one, and no variant is blamed', async () => {
    const resnet = { 'conv1.weight': array(4, 3, 7, 7), 'layer1.0.bn1.running_mean': array(4) }
    const failed = alexnet(engine, { weights: resnet })
    await expect(failed).rejects.toThrow(
      /^the weights are not an AlexNet's: they have "conv1\.weight", "layer1.*no features\.0\.weight$/,
    )
    await expect(
      alexnet(engine, { weights: { 'features.0.weight': array(4, 3, 3, 3) } }),
    ).rejects.toThrow(
      /features\.0\.weight has the shape \[4, 3, 3, 3\].*; if .* variant says which/,
    )
  })
})

describe('FC layers that are not AlexNet’s', () => {
  const features = only('features.')
  const oneLinear = { ...features, 'classifier.weight': array(2, 54), 'classifier.bias': array(2) }
  const twoLinears = {
    ...features,
    ...only('classifier.1.'),
    ...only('classifier.4.'),
    'classifier.6.0.weight': array(7, 12),
    'classifier.6.0.bias': array(7),
    'classifier.6.3.weight': array(2, 7),
    'classifier.6.3.bias': array(2),
  }
  const wideFirst = { ...state, 'classifier.1.weight': array(12, 9999) }
  const otherSecond = {
    ...state,
    'classifier.4.weight': array(3, 12),
    'classifier.4.bias': array(3),
  }
  const replaced = {
    ...features,
    'classifier.6.weight': array(3, 54),
    'classifier.6.bias': array(3),
  }

  test.each<[string, StateDict, 'last' | 'all', number]>([
    ['one linear layer', oneLinear, 'all', 2],
    ['two in the place of the last', twoLinears, 'last', 4],
    ['a first one for other features', wideFirst, 'all', 2],
    ['a second one of another width', otherSecond, 'all', 2],
    ['the one of a run that replaced all', replaced, 'all', 2],
    ['none', features, 'all', 0],
  ])(
    '%s: the features load, and the plan says what was left',
    async (_, weights, replace, left) => {
      const model = await alexnet(engine, { variant: 'alexnet-64', weights })
      expect(model.left).toHaveLength(left)
      const x = engine.tensor(new Float32Array(3 * 64 * 64), [1, 3, 64, 64])
      if (left > 0) expect(() => model.forward(x)).toThrow(/classifier\.\d\.weight has no values/)
      const plan = applyScenario(model, { scenario: 'small-similar', classes: 2 })
      expect([plan.replace, plan.startsFrom, plan.left.length]).toEqual([
        replace,
        'pretrained',
        left,
      ])
      const kept = await model.stateDict()
      for (const name of plan.frozen) expect(kept[name], name).toEqual(state[name])
      const y = model.forward(x)
      expect(y.shape).toEqual([1, 2])
      for (const one of [x, y, model]) one.dispose()
    },
  )

  test('in every scenario only what was loaded is kept', async () => {
    for (const scenario of ['large-similar', 'small-different', 'large-different'] as const) {
      const model = await alexnet(engine, { variant: 'alexnet-64', weights: oneLinear })
      const plan = applyScenario(model, { scenario, classes: 2 })
      expect(plan.replace).toBe(scenario === 'large-different' ? 'last' : 'all')
      expect(plan.left[0]).toBe('classifier.weight [2, 54]')
      model.dispose()
    }
  })

  test('hidden layers that are to stay have to fit', async () => {
    const model = await alexnet(engine, { variant: 'alexnet-64', weights: otherSecond })
    expect(() =>
      applyScenario(model, { scenario: 'small-similar', classes: 2, replace: 'last' }),
    ).toThrow(
      /replace: 'last' keeps .* do not fit \(classifier\.4\.weight \[3, 12\].*; replace: 'all' leaves/,
    )
    model.dispose()
  })

  test('widths that the caller asked for have to fit', async () => {
    await expect(alexnet(engine, { weights: state, classes: 7 })).rejects.toThrow(
      /classifier\.6\.weight has the shape \[5, 12\] in the weights, \[7, 12\] in the network/,
    )
    await expect(alexnet(engine, { weights: only('classifier.6') })).rejects.toThrow(WeightsError)
  })

  test('values that are loaded later take their place', async () => {
    const late = await alexnet(engine, { variant: 'alexnet-64', weights: replaced })
    const whole = await late.stateDict()
    late.loadStateDict(whole)
    expect([late.left, late.missing]).toEqual([[], []])
    late.dispose()
  })
})

describe('weights that were cut', () => {
  const until = (...numbers: number[]) =>
    Object.assign({}, ...numbers.map((number) => only(`features.${number}.`))) as StateDict
  const head = { 'classifier.6.weight': array(3, 392), 'classifier.6.bias': array(3) }

  test.each<[number[], string, string]>([
    [[0, 3, 6], 'small-similar', 'features.7'],
    [[0, 3, 6], 'small-different', 'features.7'],
    [[0, 3, 6], 'large-similar', 'features.7'],
    [[0, 3], 'small-different', 'features.5'],
    [[0], 'small-similar', 'features.2'],
  ])('features %j in %s: cut after %s', async (numbers, scenario, cut) => {
    const weights = { ...until(...numbers), ...head }
    const model = await alexnet(engine, { weights })
    expect(model.architecture.variant).toBe('alexnet-64')
    const plan = applyScenario(model, { scenario: scenario as 'small-similar', classes: 2 })
    expect([plan.cut, plan.replace, model.missing]).toEqual([cut, 'all', []])
    const kept = await model.stateDict()
    for (const name of Object.keys(until(...numbers))) expect(kept[name]).toEqual(state[name])
    model.dispose()
  })

  test('a cut behind their end is an error that names it', async () => {
    const model = await alexnet(engine, { weights: { ...until(0, 3, 6), ...head } })
    expect(() =>
      applyScenario(model, { scenario: 'small-similar', classes: 2, cut: 'features.9' }),
    ).toThrow(
      /cut: 'features\.9' keeps features\.8, which is not in the weights: they end at features\.7/,
    )
    for (const scenario of ['small-similar', 'large-similar'] as const)
      expect(() => applyScenario(model, { scenario, classes: 2, replace: 'last' })).toThrow(
        /replace: 'last' keeps the hidden FC layers, which are not in .* end at features\.7; leave/,
      )
    const plan = applyScenario(model, { scenario: 'small-similar', classes: 2, cut: 'features.5' })
    expect(plan.cut).toBe('features.5')
    model.dispose()
  })
})

describe('where the weights are, said by the caller', () => {
  const both = { ...behind('student.', state), ...behind('teacher.', { ...state }) }

  test('a prefix', async () => {
    await expect(alexnet(engine, { weights: both })).rejects.toThrow(/"student\.", "teacher\."/)
    const model = await alexnet(engine, { weights: both, weightsPrefix: 'teacher.' })
    expect([model.missing, model.ignored]).toEqual([[], Object.keys(behind('student.', state))])
    model.dispose()
  })

  test.each<[string, object, RegExp]>([
    ['a key without a file', { weights: state, weightsKey: 'a' }, /weightsKey .* names no file/],
    ['a prefix without weights', { weightsPrefix: 'a.' }, /weightsPrefix .* names no file/],
    [
      'a key of known weights',
      { weights: 'alexnet-64-tinyimagenet100', weightsKey: 'a' },
      /weightsKey .* Graft knows the file of alexnet-64-tinyimagenet100: leave it out/,
    ],
  ])('%s is refused', async (_, options, message) => {
    const failed = alexnet(engine, options)
    await expect(failed).rejects.toThrow(UsageError)
    await expect(failed).rejects.toThrow(message)
  })
})
