import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { readSafetensors } from '../../src/weights/safetensors.ts'
import { narrowWeights } from '../support/narrowWeights.ts'
import { exists, graft, Workplace } from './run.ts'
import { graftHere } from './runHere.ts'

// Each command is a process of its own, and a CPU adapter on a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 })

let place: Workplace
/** Weights of a network that is trained quickly. */
let narrow: string
beforeAll(async () => {
  place = await Workplace.make()
  narrow = await narrowWeights(place.path('narrow.safetensors'))
})
afterAll(() => place.remove())

const metricsOf = async (run: string) =>
  (await readFile(join(run, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { epoch: number; valAccuracy: number })

describe('train, evaluate, predict', () => {
  test('a run folder holds what it says, and the other commands need nothing else', async () => {
    const run = place.path('run')
    const trained = await graftHere([
      'train',
      place.photos,
      '--scenario',
      'small-similar',
      '--epochs',
      '2',
      '--batch-size',
      '4',
      '--replace',
      'all',
      '--out',
      run,
      '--json',
    ])
    expect([trained.code, trained.complaints]).toEqual([0, []])
    const events = trained.events()
    expect(new Set(events.map(({ type }) => type))).toEqual(
      new Set([
        ...['adapter', 'data', 'plan', 'memory', 'agenda', 'read', 'compile', 'step', 'validate'],
        ...['epoch', 'result'],
      ]),
    )
    const result = events.at(-1)
    expect(result).toMatchObject({
      type: 'result',
      run,
      aborted: false,
      skipped: 0,
      plan: { scenario: 'small-similar', replace: 'all' },
    })
    expect((await readdir(run)).sort()).toEqual([
      'checkpoints',
      'config.json',
      'metrics.jsonl',
      'timings.json',
      'weights.safetensors',
    ])
    const { metadata } = readSafetensors(await readFile(join(run, 'weights.safetensors')))
    expect([metadata.architecture, metadata.classes]).toEqual([
      'alexnet-64',
      '["circle","square","stripes"]',
    ])
    expect(JSON.parse(metadata.preprocess ?? '')).toMatchObject({ size: 64, order: 'rgb' })
    const metrics = await metricsOf(run)
    expect(metrics.map(({ epoch }) => epoch)).toEqual([1, 2])
    const kept = metrics[Number(result?.keptEpoch) - 1]
    expect(result?.valAccuracy).toBe(kept?.valAccuracy)
    expect(kept?.valAccuracy).toBe(Math.max(...metrics.map(({ valAccuracy }) => valAccuracy)))

    // Without a folder, the run's own images are meant.
    const evaluated = await graftHere(['evaluate', run])
    expect([evaluated.code, evaluated.complaints]).toEqual([0, []])
    const percent = (100 * Number(kept?.valAccuracy)).toFixed(1)
    expect(evaluated.stdout).toMatch(
      new RegExp(
        `accuracy +${percent.replace('.', '\\.')} % \\(\\d of 6\\); ` +
          '95 % interval: [\\d.]+ to [\\d.]+ %\\n',
      ),
    )
    expect(evaluated.stdout).toMatch(/class +images +precision +recall\ncircle +2 /)
    expect(evaluated.stdout).toMatch(/is \\ taken for +circle +square +stripes\ncircle( +\d){3}\n/)
    const everything = await graftHere(['evaluate', run, place.photos, '--part', 'all', '--json'])
    expect(everything.events().at(-1)).toMatchObject({
      type: 'result',
      split: 'all',
      count: 18,
      classes: ['circle', 'square', 'stripes'],
    })

    const image = join(place.photos, 'val', 'circle', '0.png')
    const broken = place.path('broken.png')
    await writeFile(broken, 'not an image')
    const predicted = await graftHere(['predict', run, image, broken, image, '--top', '2'])
    expect(predicted.code).toBe(1)
    expect(predicted.complaints).toEqual([
      expect.stringMatching(/^graft: .*broken\.png: not a JPEG/),
    ])
    const lines = predicted.stdout.trim().split('\n')
    expect(lines.length).toBe(2)
    expect(lines[0]).toMatch(/0\.png( {2}\w+ \d+\.\d %){2}$/)
    expect(lines[1]).toBe(lines[0])
  })

  test('what is piped is plain lines, and says what was done and what to type next', async () => {
    const outcome = await graftHere(['train', place.photos, '--epochs', '1'], {
      cwd: place.folder,
    })
    expect([outcome.code, outcome.complaints]).toEqual([0, []])
    expect(outcome.stdout).toMatch(
      /3 classes, 12 images to train on, 6 to validate\n +circle 4 \+ 2, square 4 \+ 2, stripes 4 \+ 2\n/,
    )
    expect(outcome.stdout).toMatch(/auto +small-similar: 12 images of 3 classes are fewer than 6 a/)
    expect(outcome.stdout).toMatch(/scenario +small-similar, from pretrained weights/)
    expect(outcome.stdout).toMatch(/result +epoch 1 kept, the only one: \d+\.\d %\n/)
    expect(outcome.stdout).toMatch(
      /\n {2}frozen +1,153,856 values in features\.0,[\s\S]*\n {2}trained +1,539 values in classifier\.6\n/,
    )
    expect(outcome.stdout).toMatch(/\n +1\/1( +\d+\.\d+( %)?){5}\n/)
    expect(outcome.stdout).toMatch(
      /\nnext +(npx graft-webgpu) report runs\/photos\n +\1 predict runs\/photos photos\/val\/circle\/0\.png\n +\1 evaluate runs\/photos\n$/,
    )
    expect([...outcome.stdout].filter((c) => c < ' ' && c !== '\n')).toEqual([])
    expect(await exists(place.path('runs/photos/weights.safetensors'))).toBe(true)
  })
})

describe('runs that go on', () => {
  const options = () => [
    '--weights',
    narrow,
    '--batch-size',
    '4',
    '--scenario',
    'large-similar',
    '--optimizer',
    'sgd',
    '--seed',
    '3',
  ]
  const weights = (name: string) => readFile(place.path(name, 'weights.safetensors'))

  test('the same seed gives the same bytes; resuming gives those of an uninterrupted run, with the options it was begun with', async () => {
    const typed = (name: string, more: readonly string[]) => [
      'train',
      place.photos,
      '--out',
      place.path(name),
      ...more,
    ]
    const train = (name: string, ...more: string[]) => graftHere(typed(name, more))
    expect((await train('whole', ...options(), '--epochs', '2')).code).toBe(0)
    expect((await train('resumed', ...options(), '--epochs', '1')).code).toBe(0)
    // In processes of their own, which know nothing of those.
    expect((await graft(typed('again', [...options(), '--epochs', '2']))).code).toBe(0)
    const on = await graft(typed('resumed', ['--epochs', '2', '--resume']))
    expect(on.stdout).toMatch(/resumed +after epoch 1/)
    expect((await metricsOf(place.path('resumed'))).map(({ epoch }) => epoch)).toEqual([1, 2])
    expect((await weights('again')).equals(await weights('whole'))).toBe(true)
    expect((await weights('resumed')).equals(await weights('whole'))).toBe(true)

    const other = await train('resumed', '--batch-size', '8', '--resume')
    expect([other.code, other.complaints]).toEqual([
      2,
      [expect.stringMatching(/was started with --batch-size 4; leave --batch-size out/)],
    ])
    const twice = await train('whole', ...options())
    expect([twice.code, twice.complaints]).toEqual([
      2,
      [expect.stringMatching(/holds a run already: --resume .* --force .* --out/)],
    ])
    const before = await weights('whole')
    await rm(place.path('whole', 'weights.safetensors'))
    const done = await train('whole', '--resume')
    expect(done.stdout).toMatch(/all 2 epochs are trained already/)
    expect((await weights('whole')).equals(before)).toBe(true)
    const replaced = await train('whole', '--epochs', '1', '--force')
    expect(replaced.code).toBe(0)
    expect((await metricsOf(place.path('whole'))).length).toBe(1)
  })

  test('Ctrl-C keeps the last finished epoch, and says how to go on', async () => {
    const run = place.path('interrupted')
    let sent = false
    const stopped = await graft(
      ['train', place.photos, ...options(), '--epochs', '500', '--out', run, '--json'],
      {
        onStdout: (text, kill) => {
          if (sent || !text.includes('"type":"epoch"')) return
          sent = true
          kill('SIGINT')
        },
      },
    )
    expect([stopped.code, stopped.complaints]).toEqual([
      130,
      [expect.stringMatching(/stopped: epoch \d+ is kept in .* --resume' continues/)],
    ])
    const { type, aborted, epochs } = stopped.events().at(-1) as {
      type: string
      aborted: boolean
      epochs: unknown[]
    }
    expect([type, aborted, epochs.length]).toEqual(['result', true, (await metricsOf(run)).length])
    const image = join(place.photos, 'val', 'circle', '0.png')
    expect((await graftHere(['predict', run, image])).code).toBe(0)
  })

  test('Ctrl-C before the first epoch is finished leaves nothing behind', async () => {
    const run = place.path('stopped-early')
    let sent = false
    const stopped = await graft(['train', place.photos, ...options(), '--out', run], {
      onStdout: (text, kill) => {
        if (sent || !text.includes('adapter ')) return
        sent = true
        kill('SIGINT')
      },
    })
    expect(stopped.code).toBe(130)
    expect(stopped.complaints.at(-1)).toMatch(
      /stopped before the first epoch was finished: nothing was written/,
    )
    expect(await exists(run)).toBe(false)
  })

  test('a reader that goes away stops training quietly', async () => {
    const stopped = await graft(
      ['train', place.photos, ...options(), '--epochs', '500', '--out', place.path('piped')],
      {
        onStdout: (text, _kill, close) => {
          if (/ 1\/500 /.test(text)) close()
        },
      },
    )
    expect([stopped.code, stopped.complaints]).toEqual([141, []])
    expect((await readdir(place.path('piped'))).sort()).toEqual([
      'checkpoints',
      'config.json',
      'metrics.jsonl',
      'timings.json',
      'weights.safetensors',
    ])
  })
})
