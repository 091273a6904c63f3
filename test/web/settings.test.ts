import { expect, test } from 'vitest'
import { WeightsError } from '../../src/base/errors.ts'
import { option, optionText } from '../../src/base/optionText.ts'
import { resolveOptions } from '../../src/train/options/resolve.ts'
import {
  consistent,
  defaultHead,
  defaults,
  fitOptions,
  loadOptions,
  pageMessage,
  runOptions,
  scenarioOptions,
} from '../../src/web/settings.ts'

test('what is left alone is the library’s own', () => {
  const own = resolveOptions({ epochs: 20 })
  expect(resolveOptions(fitOptions(defaults))).toMatchObject(own)
  expect(scenarioOptions(defaults, null, 3)).toBe(null)
  expect(runOptions(defaults, 'photos')).toMatchObject({
    weights: 'alexnet-64-tinyimagenet100',
    scenario: 'auto',
    data: 'photos',
  })
})

test('what the new layer replaces, or the cut, but never both', () => {
  const of = (scenario: 'small-similar' | 'small-different', head = defaultHead(scenario)) =>
    scenarioOptions({ ...defaults, scenario, head }, null, 3)
  expect(of('small-similar')).toEqual({
    scenario: 'small-similar',
    replace: 'last',
    classes: 3,
    seed: 0,
  })
  expect(of('small-different')).toEqual({
    scenario: 'small-different',
    cut: 'features.7',
    classes: 3,
    seed: 0,
  })
  expect(of('small-similar', 'features.5')).toEqual({
    scenario: 'small-similar',
    cut: 'features.5',
    classes: 3,
    seed: 0,
  })
})

test('where the weights are in a file goes with the file', () => {
  const told = { ...defaults, weightsKey: 'ema.state_dict', weightsPrefix: 'student.' }
  const { weightsKey, weightsPrefix } = told
  const own = { ...told, start: 'file', file: new File([], 'mine.pth') } as const
  expect(loadOptions(consistent(own))).toEqual({ weightsKey, weightsPrefix })
  expect(runOptions(own, 'photos')).toMatchObject({ weights: 'mine.pth', weightsKey })
  expect(loadOptions(consistent(told))).toEqual({})
  const tie = new WeightsError(
    optionText`two copies: say which with ${option('weightsKey', 'a.b')}`,
  )
  expect(pageMessage(tie)).toBe('two copies: say which with “Where in a PyTorch checkpoint” a.b')
})

test('a setting that another one has made meaningless goes', () => {
  const kept = { ...defaults, scenario: 'large-different', init: 'pretrained' } as const
  expect(consistent(kept).init).toBe('pretrained')
  expect(consistent({ ...kept, scenario: 'large-similar' }).init).toBe(null)
  expect(consistent({ ...kept, start: 'random' }).init).toBe(null)
  expect(fitOptions({ ...defaults, headEpochs: 2 }).headEpochs).toBe(0)
  expect(fitOptions({ ...defaults, scenario: 'large-similar', headEpochs: 2 }).headEpochs).toBe(2)
})
