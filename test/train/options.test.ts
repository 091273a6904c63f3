/** The table of training options, and all that has to agree with it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { h } from 'preact'
import { renderToString } from 'preact-render-to-string'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { asFlag } from '../../src/cli/tableOptions.ts'
import { settingsOf, withTrainOptions } from '../../src/cli/trainSettings.ts'
import type { FitOptions } from '../../src/train/fitOptions.ts'
import { resolveOptions } from '../../src/train/options/resolve.ts'
import { setupOptions } from '../../src/train/options/setup.ts'
import {
  describeDefault,
  isByOptimizer,
  isConditional,
  type OptionSpec,
} from '../../src/train/options/spec.ts'
import { optionNames, specs } from '../../src/train/options/table.ts'
import { settingNames } from '../../src/train/settings.ts'
import { defaults } from '../../src/web/settings.ts'
import { Setup } from '../../src/web/setup.tsx'
import { graft, Workplace } from '../cli/run.ts'
import { oddNames } from '../support/oddNames.ts'
import { codeOf, sourcesIn } from '../support/sources.ts'

vi.setConfig({ testTimeout: 300_000 })

const all: Readonly<Record<string, OptionSpec>> = { ...setupOptions, ...specs }
const flagged = Object.entries(all).filter(([, { flag }]) => flag)

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

/**
 * Where each option takes effect, beside the table. A name that is also a common word, marked by
 * "…", may be elsewhere too.
 */
const acting: Readonly<Record<keyof FitOptions, string>> = {
  epochs: 'train/fit train/session cli/trainRun …',
  batchSize: 'train/epoch train/session train/memory train/findLearningRate …',
  optimizer: 'train/optimizers …',
  lr: 'train/optimizers train/session …',
  momentum: 'train/optimizers …',
  weightDecay:
    'train/optimizers train/memory train/experiments web/fieldProblems web/prepare web/settings',
  augment: 'train/session train/imageSource cli/trainRun web/settings …',
  cache: 'train/openSource train/session train/memory …',
  seed: 'train/epoch train/session train/imageSource …',
  strict: 'train/session …',
  schedule: 'train/recipe/rates train/session',
  warmup: 'train/recipe/rates train/session',
  lrFloor: 'train/session',
  headEpochs:
    'train/recipe/stages train/session cli/trainSettings web/fieldProblems web/settings web/setup',
  unfreezeEvery: 'train/recipe/stages train/session',
  lrSpread: 'train/session train/findLearningRate cli/trainSettings',
  layerGroups: 'train/recipe/layerGroups train/session cli/tableOptions cli/trainSettings',
  patience: 'train/fit train/recipe/bestEpoch cli/trainRun web/settings …',
  keep: 'train/fit train/kept train/session …',
  monitor:
    'cli/trainSettings train/fit train/kept train/experiments train/recipe/bestEpoch train/session',
  minDelta: 'train/fit train/kept train/recipe/bestEpoch train/session',
  classWeights: 'train/recipe/classWeights train/session train/step cli/tableOptions web/settings',
  labelSmoothing: 'train/step',
  mixup:
    'train/fit train/recipe/mixup train/session train/step cli/spreadTrain web/fieldProblems ' +
    'web/prepare web/settings',
  accumulate: 'train/memory train/session train/step',
  clip: 'train/step',
  ema: 'train/memory train/session',
  featureCache: 'train/session train/settings cli/trainRun web/trainRun',
  onEvent: 'train/fit train/session train/epoch …',
  checkpoint: 'train/fit train/snapshots cli/trainRun …',
  checkpointFiles: 'train/fit',
  beforeCheckpoint: 'train/snapshots cli/trainRun cli/commands/reproduce',
  checkpointSeconds: 'train/snapshots cli/trainRun',
  resume: 'train/fit cli/trainRun …',
  onResume: 'train/fit cli/trainRun cli/commands/reproduce',
  signal: 'train/fit train/session train/epoch …',
  maxSeconds:
    'train/fit train/compareScenarios train/race train/events train/session train/timeLeft ' +
    'cli/commands/reproduce',
  wholeEpochs: 'train/fit train/race cli/commands/reproduce',
}

test.each(optionNames)('%s: its name is in the table and where it takes effect', async (name) => {
  const files = await sourcesIn('src/train', 'src/cli', 'src/web')
  const found = files
    .filter(({ path }) => !/\/options\/|\/fitOptions/.test(path))
    .filter(({ text }) => new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(codeOf(text)))
    .map(({ path }) => path.replace(/^src\/|\.tsx?$/g, ''))
  const listed = acting[name].split(' ').filter((part) => part !== '…')
  expect(found).toEqual(expect.arrayContaining(listed))
  if (!acting[name].endsWith('…')) expect(found.sort()).toEqual(listed.sort())
})

describe('defaults', () => {
  test('those in the comments of FitOptions are those of the table', async () => {
    const text = await readFile('src/train/fitOptions.ts', 'utf8')
    const stated = (name: string) => {
      const doc = new RegExp(`/\\*\\*((?:(?!\\*/)[^])*)\\*/\\s+readonly ${name}\\?:`).exec(text)
      return /Default (.+?)[.:](?:\s|$)/.exec(doc?.[1]?.replace(/\s+\*\s+/g, ' ') ?? '')?.[1]
    }
    for (const name of optionNames) {
      const { default: value } = specs[name]
      const said = stated(name)
      if (isByOptimizer(value)) expect([name, byOptimizer(said)]).toEqual([name, figures(value)])
      else if (isConditional(value))
        expect(said, name).toBe(
          `${written(value.otherwise)}, with \`${value.with}\` ${written(value.value)}`,
        )
      else if (said !== undefined && value !== undefined)
        expect(said.replace(/^'|'$/g, ''), name).toBe(String(value))
      else expect(value === undefined || !value || name === 'epochs', name).toBe(true)
    }
  })

  test('a batch size that is left out is the same one everywhere', async () => {
    const files = await sourcesIn('src')
    const stated = files.flatMap(({ text }) =>
      [...text.matchAll(/Default (\d+)\. \*\/\s+readonly batchSize/g)].map(([, size]) => size),
    )
    expect(stated.length).toBeGreaterThan(3)
    expect(new Set(stated)).toEqual(new Set([String(specs.batchSize.default)]))
  })
})

/** '1e-3 for adam and adamw, 1e-2 for sgd' by optimizer; a value alone is the one of sgd. */
function byOptimizer(text = ''): Record<string, number> {
  return Object.fromEntries(
    text.split(', ').flatMap((part) => {
      const [value, names = 'sgd'] = part.split(' for ')
      return names.split(' and ').map((name) => [name, Number(value)])
    }),
  )
}

function figures({ byOptimizer }: { readonly byOptimizer: object }): object {
  return { ...byOptimizer }
}

function written(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}

describe('the command line', () => {
  test('graft train --help shows every flag with its text and its default', async () => {
    const { code, stdout } = await graft(['train', '--help'])
    expect(code).toBe(0)
    const help = stdout.replace(/\s+/g, ' ')
    for (const [name, spec] of flagged) {
      const { flags, help: text } = spec.flag as NonNullable<OptionSpec['flag']>
      const at = help.indexOf(`${flags} ${text}`)
      expect(at, name).toBeGreaterThan(0)
      const entry = help.slice(at, help.indexOf(')', at + flags.length + text.length) + 1)
      const told = describeDefault(spec, asFlag)
      if (told !== null) expect(entry.replaceAll('"', ''), name).toContain(`default: ${told}`)
    }
  })

  test('every flag sets the option of that name, --group layerGroups too', () => {
    const typed: Readonly<Record<string, string>> = {
      variant: 'bvlc',
      scenario: 'large-similar',
      replace: 'all',
      init: 'xavier-uniform',
      optimizer: 'sgd',
      augment: 'light',
      schedule: 'cosine',
      keep: 'last',
      monitor: 'accuracy',
      split: '0.5',
      lrFloor: '0.5',
      labelSmoothing: '0.5',
      ema: '0.5',
      classWeights: 'cat=2',
      layerGroups: 'features.*,classifier.1',
    }
    for (const [name, { flag }] of flagged) {
      if (!flag || flag.session) continue
      const [long = '', argument] = flag.flags.split(' ')
      const command = withTrainOptions(new Command().exitOverride())
      const before = settingsOf(command.opts())
      command.parse(argument ? [long, typed[name] ?? '3'] : [long], { from: 'user' })
      const changed = Object.entries(settingsOf(command.opts())).filter(
        ([key, value]) => value !== before[key as keyof typeof before],
      )
      expect(changed.map(([key]) => key)).toEqual([name])
    }
    const command = withTrainOptions(new Command().exitOverride())
    command.parse(['--group', 'features.*', '--group', 'classifier.*'], { from: 'user' })
    expect(settingsOf(command.opts()).layerGroups).toEqual(['features.*', 'classifier.*'])
  })

  test.each<[string, string | Readonly<Record<string, number>>]>([
    ['balanced', 'balanced'],
    ['cat=2,dog=0.5', { cat: 2, dog: 0.5 }],
    ['a, b=c=2,x\ny=1', { 'a, b=c': 2, 'x\ny': 1 }],
    ['constructor=2,10=1,0=3', { constructor: 2, 10: 1, 0: 3 } as Record<string, number>],
    ...oddNames.map((name): [string, Record<string, number>] => [
      `${name}=2`,
      Object.fromEntries([[name, 2]]),
    ]),
  ])('--class-weights %s', (text, weights) => {
    const command = withTrainOptions(new Command().exitOverride())
    command.parse(['--class-weights', text], { from: 'user' })
    const { classWeights } = settingsOf(command.opts())
    expect(classWeights).toEqual(weights)
    if (typeof weights === 'object')
      expect(Object.keys(classWeights ?? {})).toEqual(Object.keys(weights))
    expect(() => resolveOptions({ epochs: 1, classWeights })).not.toThrow()
  })

  test.each(['', 'cat', 'cat=', '=2', 'cat=0', 'cat=2,', 'cat=2,dog', 'cat=2,dog=0', 'a=1,a=2'])(
    '--class-weights %s is refused',
    (text) => {
      const command = withTrainOptions(
        new Command().exitOverride().configureOutput({ writeErr: () => {} }),
      )
      expect(() => command.parse(['--class-weights', text], { from: 'user' })).toThrow(
        /'balanced', or a number above 0 for a class|names a class twice/,
      )
    },
  )

  test('weights of classes that have no names are refused', () => {
    for (const classWeights of [[1, 2], new Map([['cat', 2]])])
      expect(() => resolveOptions({ epochs: 1, classWeights } as unknown as FitOptions)).toThrow(
        /classWeights is .*'balanced' or an object of numbers by class/,
      )
  })

  test('--group reaches the training', async () => {
    const { code, complaints } = await graft([
      ...['train', place.photos, '--group', 'features.*', '--lr-spread', '2'],
      ...['--out', place.path('group')],
    ])
    expect(code).toBe(2)
    expect(complaints[0]).toMatch(/no layer group holds classifier/)
  })

  test('a run keeps the options that have a flag, with the defaults of the table', async () => {
    const run = place.path('kept')
    const trained = await graft([
      ...['train', place.photos, '--epochs', '1', '--batch-size', '4', '--seed', '3'],
      ...['--label-smoothing', '0.1', '--out', run],
    ])
    expect([trained.code, trained.complaints]).toEqual([0, []])
    const { options } = JSON.parse(await readFile(join(run, 'config.json'), 'utf8')) as {
      options: Record<string, unknown>
    }
    const typed = { epochs: 1, batchSize: 4, seed: 3, labelSmoothing: 0.1 }
    expect(options).toMatchObject(typed)
    for (const name of Object.keys(options)) expect([...settingNames, 'data'], name).toContain(name)
    for (const [name, { flag, default: value }] of flagged)
      if (flag?.recorded && !(name in typed)) expect([name, options[name]]).toEqual([name, value])
  })

  test('--split is an error where the folder is divided already; its default and --seed are not', async () => {
    const { code, complaints } = await graft(['train', place.photos, '--split', '0.5'])
    expect(code).toBe(2)
    expect(complaints[0]).toMatch(/says itself which images are for validation: leave --split out/)
  })
})

test('the page’s form has a field for every option that the table gives one', () => {
  const page = renderToString(
    h(Setup, {
      settings: {
        ...defaults,
        start: 'file',
        file: new File([], 'alexnet.pth'),
        scenario: 'large-different',
      },
      onChange: () => {},
      cuts: [],
      divided: false,
    }),
  )
  for (const [name, { field, default: value, rule }] of Object.entries(all)) {
    if (!field) continue
    expect(page, name).toContain(`>${field.label}</label>`)
    if (field.hint) expect(page, name).toContain(field.hint)
    for (const [, text] of field.choices ?? []) expect(page, name).toContain(`>${text}</option>`)
    for (const choice of field.choices ? [] : (rule?.choices ?? []))
      expect(page, name).toContain(`>${choice}</option>`)
    const start = page.indexOf(`>${field.label}</label>`)
    const input = page.slice(start, page.indexOf('</div>', start))
    if (typeof value === 'number') expect(input, name).toContain(`value="${value}"`)
    if (typeof value === 'string') expect(input, name).toMatch(new RegExp(`selected[^>]*>${value}`))
  }
})
