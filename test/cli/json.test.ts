import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { narrowWeights } from '../support/narrowWeights.ts'
import { graft, Workplace } from './run.ts'
import { graftHere } from './runHere.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

/** A class whose name is no harm to JSON, but to what reads it by lines, and to a terminal. */
const hostile = 'a"b\\c\u2028d\u202ee\u0085f\u001b[31m\ng'

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
  for (const part of ['train', 'val'])
    await rename(join(place.photos, part, 'circle'), join(place.photos, part, hostile))
  await rename(
    join(place.photos, 'val', hostile, '0.png'),
    join(place.photos, 'val', hostile, `${hostile}.png`),
  )
  await mkdir(place.path('empty'))
  await narrowWeights(place.path('narrow.safetensors'))
  const made = await graftHere([...train, '--out', 'run'], { cwd: place.folder })
  expect(made.code).toBe(0)
})
afterAll(() => place.remove())

const network = ['--variant', 'alexnet-64', '--weights', 'alexnet-64-tinyimagenet100'] as const
/** A network that is trained quickly. */
const narrow = ['--weights', 'narrow.safetensors', '--batch-size', '6'] as const
const train = ['train', 'photos', '--epochs', '1', ...narrow] as const
const image = join('photos', 'val', hostile, `${hostile}.png`)
const weights = 'alexnet-64-tinyimagenet100'

/** Every command, once as it works and once as it fails. */
const commands: Readonly<Record<string, readonly (readonly string[])[]>> = {
  train: [train, ['train', 'photos', '--resume', '--out', 'run'], ['train', 'empty']],
  'lr-find': [
    ['lr-find', 'photos', ...narrow],
    ['lr-find', 'nowhere'],
  ],
  explain: [
    ['explain', 'run'],
    ['explain', hostile],
  ],
  compare: [
    ['compare', 'photos', '--epochs', '1', ...narrow],
    ['compare', 'nowhere'],
  ],
  sweep: [
    [
      'sweep',
      'photos',
      '--grid',
      'lr=0.001,0.01',
      '--epochs',
      '1',
      ...narrow,
      '--out',
      'swept.html',
    ],
    ['sweep', 'nowhere', '--grid', 'lr=0.1'],
  ],
  report: [
    ['report', 'run'],
    ['report', 'empty'],
  ],
  evaluate: [
    ['evaluate', 'run', 'photos'],
    ['evaluate', 'run', 'empty'],
  ],
  predict: [
    ['predict', 'run', image, `${hostile}.png`],
    ['predict', 'run'],
  ],
  worker: [['worker'], ['worker', '--queue', hostile, '--store', 'photos']],
  jobs: [['jobs'], ['jobs', '--queue', hostile]],
  export: [
    ['export', 'run', '--out', `${hostile}.onnx`],
    ['export', 'run', '--format', hostile],
  ],
  weights: [
    ['weights', 'list'],
    ['weights', 'path', weights],
    ['weights', 'verify', weights],
    ['weights', 'fetch', weights],
    ['weights', 'add', 'mine', join('run', 'weights.safetensors')],
    ['weights', 'remove', 'mine'],
    ['weights', 'remove', hostile],
    ['weights', hostile],
    ['weights'],
  ],
  data: [
    ['data', 'list'],
    ['data', 'path', hostile],
    ['data', 'fetch', 'hymenoptera', '--offline'],
    ['data'],
  ],
  cache: [['cache'], ['cache', 'clear', 'features', '--dry-run'], ['cache', 'clear', hostile]],
  'show-batch': [
    ['show-batch', 'photos'],
    ['show-batch', 'empty'],
  ],
  inspect: [
    ['inspect', 'run', '--image', image],
    ['inspect', ...network, '--serve'],
  ],
  web: [['web', '--port', '-1']],
  adapters: [['adapters'], ['adapters', '--adapter', hostile]],
  tune: [['tune', '--variant', hostile]],
  check: [
    ['check', 'relu', '--cases', '2'],
    ['check', hostile],
  ],
  demo: [
    ['demo', '--each', '1', '--seconds', '1'],
    ['demo', '--out', 'run'],
  ],
  reproduce: [
    ['reproduce', 'photos', ...network, '--budget', '2s', '--out', 'again'],
    ['reproduce', 'nowhere'],
  ],
}

test('the table has every command', async () => {
  const help = await graftHere(['--help'])
  const [, listed = ''] = help.stdout.split(/^Commands:$|^Examples:$/m)
  const named = [...listed.matchAll(/^ {2}([a-z-]+) .*\n/gm)].map(([, name]) => name)
  const known = named.filter((name) => name !== 'help')
  expect([...new Set(known)].sort()).toEqual(Object.keys(commands).sort())
})

/** A line ends where any program that reads lines may end it. */
const lineEnds = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/

describe.each(Object.entries(commands))('graft %s --json', (_, ways) => {
  test.each(ways.map((args) => [args.join(' '), args] as const))(
    '%j: an object a line',
    async (_name, args) => {
      // A worker is watched by a process that starts it anew if it dies.
      const run = args[0] === 'worker' ? graft : graftHere
      const { code, stdout, events, complaints } = await run([...args, '--json'], {
        cwd: place.folder,
      })
      expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
      for (const line of stdout.trimEnd().split(lineEnds))
        expect(JSON.parse(line)).toMatchObject({ type: expect.any(String) })
      const { type } = events().at(-1) ?? {}
      // What failed says so last, unless its result is of the part that could be done.
      if (code === 0 || type !== 'error') expect(type).toBe('result')
      expect(complaints.length > 0).toBe(code !== 0)
    },
  )
})

test('graft web --json says where it is', async () => {
  const { code, events } = await graft(['web', '--json'], {
    cwd: place.folder,
    onStdout: (text, kill) => {
      if (text.endsWith('\n')) kill('SIGTERM')
    },
  })
  expect(code).toBe(0)
  expect(events()).toEqual([{ type: 'open', url: expect.stringMatching(/^http:\/\/localhost:/) }])
})

test.each([
  [['--json']],
  [['trian', '--json']],
  [['train', '--json', '--epoch', '3', 'photos']],
  [['predict', '--json']],
])('%j: a slip of the finger is an object too', async (args) => {
  const { code, events } = await graftHere(args)
  expect([code, events()]).toEqual([2, [expect.objectContaining({ type: 'error', code: 'usage' })]])
})
