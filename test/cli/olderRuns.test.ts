/** Runs of older versions, whose folders lack what newer ones have. */
import { expect, test } from 'vitest'
import { resumedSettings, type TrainOptions } from '../../src/cli/trainSettings.ts'
import { parseRunConfig, type RunConfig } from '../../src/train/runConfig.ts'

const evidence = {
  images: 12,
  classes: 3,
  pretrained: true,
  sampled: 12,
  sampledClasses: 3,
  folds: 3,
  chance: 1 / 3,
  depths: [
    {
      layer: 'features.12',
      part: 'last features',
      features: 864,
      accuracy: 0.95,
      error: 0.1,
      expected: 0.4,
      expectedError: 0.17,
      behind: 0.2,
      behindError: 0.1,
    },
  ],
  seconds: 1.9,
  readSeconds: 1.8,
  seed: 0,
}
const plan = {
  scenario: 'small-similar',
  replace: 'last',
  cut: null,
  removed: ['classifier.6'],
  added: [{ name: 'classifier.6', description: 'Linear(8, 3)' }],
  frozen: ['features.0.weight'],
  trained: ['classifier.6.weight', 'classifier.6.bias'],
  trainedValues: 27,
  frozenValues: 300,
  startsFrom: 'pretrained',
  classes: 3,
  seed: 0,
  reasons: ['Few images.'],
}
const config = {
  graft: '0.1.0',
  architecture: {
    variant: 'alexnet-64',
    channels: [4, 4, 4, 4, 4],
    hidden: 8,
    dropout: 0.3,
    classes: 5,
  },
  plan,
  choice: {
    scenario: 'small-similar',
    replace: 'last',
    cut: null,
    basis: 'features.12',
    reason: 'Few images.',
    evidence,
  },
  classes: ['circle', 'square', 'stripes'],
  options: { scenario: 'auto', epochs: 2 },
  adapter: 'llvmpipe',
}
const read = (value: object): RunConfig =>
  parseRunConfig(Buffer.from(JSON.stringify(value)), 'config.json')

test('the standard errors of what auto measured are read as 95 % intervals', () => {
  const depth = read(config).choice?.evidence.depths[0]
  expect(depth?.interval.low).toBeCloseTo(0.95 - 0.196, 4)
  expect(depth?.interval.high).toBe(1)
  expect(depth?.behind.low).toBeCloseTo(0.2 - 0.196, 4)
  expect(depth?.behind.high).toBeCloseTo(0.2 + 0.196, 4)
})

test('of another form, what auto measured is damaged', () => {
  const depths = [{ ...evidence.depths[0], error: 'none' }]
  const choice = { ...config.choice, evidence: { ...evidence, depths } }
  expect(() => read({ ...config, choice })).toThrow(/interval is missing/)
})

test.each([
  ['keeps the last epoch', {}, { keep: 'last', monitor: undefined }],
  ['with patience keeps the best by loss', { patience: 3 }, { keep: 'best', monitor: 'loss' }],
  ['goes on as it says', { keep: 'best' }, { keep: 'best', monitor: undefined }],
])('a run that does not say what is best: %s', (_, options, expected) => {
  const run = read({ ...config, options: { ...config.options, ...options } })
  const settings = resumedSettings({ epochs: 2 } as TrainOptions, () => false, run, 'runs/old')
  expect({ keep: settings.keep, monitor: settings.monitor }).toEqual(expected)
})
