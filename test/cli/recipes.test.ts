import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { graft, Workplace } from './run.ts'

vi.setConfig({ testTimeout: 300_000 })

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

const weights = (name: string) => readFile(place.path(name, 'weights.safetensors'))
const train = (name: string, ...more: string[]) => [
  'train',
  place.photos,
  '--out',
  place.path(name),
  ...more,
]

describe('recipes on the command line', () => {
  // The small sample of test/long/kills.ts, which kills at twenty random moments.
  test('kill -9 within an epoch: --resume, and nothing else, goes on with the whole recipe to the bytes of an uninterrupted run', async () => {
    const recipe = [
      ...[
        '--scenario',
        'large-similar',
        '--optimizer',
        'sgd',
        '--epochs',
        '3',
        '--batch-size',
        '2',
        '--schedule',
        'one-cycle',
        '--seed',
        '3',
      ],
      ...[
        '--freeze',
        'features.0.*,features.3',
        '--head-epochs',
        '1',
        '--ema',
        '0.9',
        '--clip',
        '1',
        '--accumulate',
        '2',
        '--mixup',
        '0.3',
      ],
      ...['--class-weights', 'circle=2,square=0.5', '--checkpoint-every', '0', '--json'],
    ]
    expect((await graft(train('whole', ...recipe))).code).toBe(0)
    const killed = await graft(train('killed', ...recipe), {
      onStdout: (text, kill) => {
        if (/"type":"step","epoch":2,"step":[3-6]/.test(text)) kill('SIGKILL')
      },
    })
    expect(killed.code).toBe(null)
    const resumed = await graft(train('killed', '--resume'))
    expect([resumed.code, resumed.complaints]).toEqual([0, []])
    expect(resumed.stdout).toMatch(/resumed +(after epoch 1|in epoch 2, after step \d)/)
    expect((await weights('killed')).equals(await weights('whole'))).toBe(true)

    const { options, plan } = JSON.parse(
      await readFile(place.path('killed', 'config.json'), 'utf8'),
    ) as {
      options: Record<string, unknown>
      plan: { frozen: string[]; reasons: string[] }
    }
    expect(options).toMatchObject({
      ...{ schedule: 'one-cycle', headEpochs: 1, ema: 0.9, clip: 1, accumulate: 2, mixup: 0.3 },
      ...{ classWeights: { circle: 2, square: 0.5 }, freeze: ['features.0.*', 'features.3'] },
    })
    expect(plan.frozen).toEqual([
      'features.0.weight',
      'features.0.bias',
      'features.3.weight',
      'features.3.bias',
    ])
    expect(plan.reasons.at(-1)).toBe('As asked: features.0.* frozen, features.3 frozen.')
    const other = await graft(train('killed', '--resume', '--class-weights', 'balanced'))
    expect([other.code, other.complaints]).toEqual([
      2,
      [expect.stringMatching(/was started with --class-weights \{"circle":2,"square":0\.5\}/)],
    ])
  })

  test('lr-find shows a plot and a suggestion; --lr find trains with it, and the run keeps the number', async () => {
    const found = await graft([
      'lr-find',
      place.photos,
      '--scenario',
      'large-similar',
      '--batch-size',
      '4',
    ])
    expect([found.code, found.complaints]).toEqual([0, []])
    expect(found.stdout).toMatch(/over the learning rate:\n(.*\n){10,17}/)
    expect(found.stdout).toMatch(
      /1e-6[\s\S]*rate +\d[\d.e-]*, where nine tenths of the fall are done[\s\S]*next +.*graft\.js train .* --scenario large-similar\s+--batch-size 4\s+--lr \d/,
    )
    const run = await graft(train('found', '--lr', 'find', '--epochs', '1', '--batch-size', '4'))
    expect(run.code).toBe(0)
    const { options } = JSON.parse(
      await readFile(join(place.path('found'), 'config.json'), 'utf8'),
    ) as { options: { lr: unknown } }
    expect(options.lr).toEqual(expect.any(Number))
  })

  test.each([
    [['train', '--mixup', '0'], /--mixup.*It takes a number above 0/],
    [['train', '--class-weights', 'circle'], /'balanced', or a number above 0 for a class/],
    [['train', '--schedule', 'linear'], /Allowed choices are constant, one-cycle, cosine/],
    [['train', '--lr', 'fast'], /--lr.*It takes a number above 0, or 'find'/],
    [
      ['train', '--freeze', 'nothing.*', '--epochs', '1'],
      /no parameter matches 'nothing\.\*'; there are features\.0\.weight/,
    ],
    [
      ['train', '--scenario', 'large-similar', '--head-epochs', '20'],
      /--head-epochs is 20 of 20 epochs/,
    ],
    [['lr-find', '--epochs', '3'], /does not depend on --epochs/],
  ])('%j says what is wrong in one line', async ([command = '', ...options], message) => {
    const outcome = await graft([
      command,
      place.photos,
      ...options,
      ...(command === 'train' ? ['--out', place.path('never')] : []),
    ])
    expect(outcome.code).toBe(2)
    expect(outcome.complaints.length).toBe(1)
    expect(outcome.complaints[0]).toMatch(message)
  })
})
