import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts'
import { drawnShapes } from '../support/shapes.ts'
import { graft, writeDataset } from './run.ts'

let folder: string
let photos: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-cli-'))
  photos = join(folder, 'photos')
  await writeDataset(photos, await drawnShapes({ train: 4, val: 2 }))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A copy of the pictures that a test may spoil. */
async function spoiled(name: string, spoil: (path: string) => Promise<unknown>): Promise<string> {
  const path = join(folder, name)
  await cp(photos, path, { recursive: true })
  await spoil(path)
  return path
}

const quick = ['--epochs', '2', '--batch-size', '4', '--replace', 'all']

describe('train, evaluate, predict', () => {
  test('a run folder holds what it says, and the other commands need nothing else', async () => {
    const run = join(folder, 'run')
    const trained = await graft(['train', photos, ...quick, '--out', run, '--json'])
    expect([trained.code, trained.complaints]).toEqual([0, []])
    const events = trained.events()
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['adapter', 'data', 'plan', 'read', 'epoch', 'result']))
    const result = events.at(-1)
    expect(result).toMatchObject({ type: 'result', run, aborted: false, skipped: 0, plan: { scenario: 'small-similar', replace: 'all' } })
    expect((await readdir(run)).sort()).toEqual(['checkpoints', 'config.json', 'metrics.jsonl', 'weights.safetensors'])
    const { metadata } = readSafetensors(await readFile(join(run, 'weights.safetensors')))
    expect([metadata.architecture, metadata.classes]).toEqual(['alexnet-64', '["circle","square","stripes"]'])
    const metrics = (await readFile(join(run, 'metrics.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { epoch: number; valAccuracy: number })
    expect(metrics.map(({ epoch }) => epoch)).toEqual([1, 2])
    expect(result?.valAccuracy).toBe(metrics[1]?.valAccuracy)

    const evaluated = await graft(['evaluate', run, photos, '--json'])
    expect(evaluated.events().at(-1)).toMatchObject({ type: 'result', split: 'val', count: 6, accuracy: metrics[1]?.valAccuracy })

    const picture = join(photos, 'val', 'circle', '0.png')
    const broken = join(folder, 'broken.png')
    await writeFile(broken, 'not a picture')
    const predicted = await graft(['predict', run, picture, broken, picture])
    expect(predicted.code).toBe(1)
    expect(predicted.complaints).toEqual([expect.stringContaining('broken.png')])
    const lines = predicted.stdout.trim().split('\n')
    expect(lines.length).toBe(2)
    expect(lines[0]).toMatch(/0\.png {3}\w+ \d+\.\d %/)
    expect(lines[1]).toBe(lines[0])
  })

  test('the same seed gives the same bytes, and resuming gives those of an uninterrupted run', async () => {
    const paths = ['whole', 'again', 'resumed'].map((name) => join(folder, name))
    const [whole = '', again = '', resumed = ''] = paths
    const train = (path: string, epochs: string, ...more: string[]) =>
      graft([
        'train',
        photos,
        '--batch-size',
        '4',
        '--scenario',
        'large-similar',
        '--optimizer',
        'sgd',
        '--epochs',
        epochs,
        '--out',
        path,
        ...more,
      ])
    await train(whole, '3')
    await train(again, '3')
    await train(resumed, '1')
    const on = await train(resumed, '3', '--resume')
    expect(on.stdout).toMatch(/going on after epoch 1/)
    const [a, b, c] = await Promise.all(paths.map((path) => readFile(join(path, 'weights.safetensors'))))
    expect(b?.equals(a ?? Buffer.alloc(0))).toBe(true)
    expect(c?.equals(a ?? Buffer.alloc(0))).toBe(true)
    const other = await graft([
      'train',
      photos,
      '--batch-size',
      '8',
      '--scenario',
      'large-similar',
      '--optimizer',
      'sgd',
      '--out',
      resumed,
      '--resume',
    ])
    expect([other.code, other.complaints]).toEqual([2, [expect.stringMatching(/other options \(batchSize: 4\)/)]])
    const twice = await train(whole, '3')
    expect([twice.code, twice.complaints]).toEqual([2, [expect.stringMatching(/holds a run already; --resume .* --force .* --out/)]])
  })

  test('Ctrl-C keeps the last finished epoch, and says how to go on', async () => {
    const run = join(folder, 'interrupted')
    let sent = false
    const stopped = await graft(
      ['train', photos, '--epochs', '500', '--batch-size', '1', '--scenario', 'large-similar', '--out', run, '--json'],
      {
        onStdout: (text, kill) => {
          if (!sent && text.includes('"type":"epoch"')) {
            sent = true
            kill('SIGINT')
          }
        },
      },
    )
    expect([stopped.code, stopped.complaints]).toEqual([130, [expect.stringMatching(/stopped; epoch \d+ is kept .* --resume/)]])
    const { epochs } = stopped.events().at(-1) as { epochs: unknown[] }
    const metrics = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n')
    expect(metrics.length).toBe(epochs.length)
    expect((await graft(['predict', run, join(photos, 'val', 'circle', '0.png')])).code).toBe(0)
  })
})

describe('bad input gets one clear line and leaves nothing behind', () => {
  const cases: [string, () => Promise<string[]>, RegExp, number][] = [
    ['no such folder', async () => [join(folder, 'nowhere')], /nowhere/, 1],
    ['an empty class', async () => [await spoiled('empty-class', (path) => mkdir(join(path, 'train', 'triangle')))], /triangle/, 1],
    [
      'one class',
      async () => [
        await spoiled('one-class', (path) =>
          Promise.all(
            ['train', 'val'].flatMap((part) => ['square', 'stripes'].map((name) => rm(join(path, part, name), { recursive: true }))),
          ),
        ),
      ],
      /circle/,
      1,
    ],
    [
      'a class that only val has',
      async () => [await spoiled('val-only', (path) => cp(join(path, 'val', 'circle'), join(path, 'val', 'ring'), { recursive: true }))],
      /ring/,
      1,
    ],
    [
      'a weights file cut short',
      async () => {
        const path = join(folder, 'short.safetensors')
        await cp('weights/alexnet-64-tinyimagenet100.safetensors', path)
        await truncate(path, 100_000)
        return [photos, '--weights', path]
      },
      /short\.safetensors/,
      1,
    ],
    [
      'a weights file with overlapping offsets',
      async () => {
        const path = join(folder, 'overlap.safetensors')
        const array = { shape: [4], data: new Float32Array(4) }
        const bytes = Buffer.from(writeSafetensors({ a: array, b: array }))
        bytes.write(bytes.toString('latin1').replace('[16,32]', '[12,28]'), 0, 'latin1')
        await writeFile(path, bytes)
        return [photos, '--weights', path, '--variant', 'alexnet-64']
      },
      /overlap/,
      1,
    ],
    [
      'a loss that is not finite',
      async () => [photos, '--scenario', 'large-similar', '--optimizer', 'sgd', '--lr', '1e30'],
      /first tensor that is not finite/,
      1,
    ],
    ['a truncated JPEG under --strict', async () => [await spoiled('truncated', truncatedJpeg), '--strict'], /cut\.jpg/, 1],
    ['a layer that does not exist', async () => [photos, '--cut', 'features.99'], /features\.99/, 2],
    ['no number of epochs', async () => [photos, '--epochs', 'many'], /^$/, 2],
    ['a scenario that does not exist', async () => [photos, '--scenario', 'auto'], /^$/, 2],
  ]

  test.each(cases)('%s', async (name, args, message, code) => {
    const run = join(folder, `out-${name.replaceAll(' ', '-')}`)
    const outcome = await graft(['train', ...(await args()), '--out', run])
    expect(outcome.code).toBe(code)
    // commander's own complaints open with 'error:' and name the option.
    if (message.source === '^$') expect(outcome.stderr).toMatch(/error: option '--(epochs|scenario) .*(many|auto)/)
    else expect(outcome.complaints).toEqual([expect.stringMatching(message)])
    expect(outcome.stderr).not.toMatch(/\n {4}at /)
    await expect(readdir(run)).rejects.toThrow()
  })

  test('broken pictures are left out, named and counted', async () => {
    const path = await spoiled('broken', async (root) => {
      await truncatedJpeg(root)
      await writeFile(join(root, 'train', 'square', 'text.png'), 'this is text')
    })
    const outcome = await graft(['train', path, ...quick, '--out', join(folder, 'broken-run')])
    expect(outcome.code).toBe(0)
    expect(outcome.stderr).toMatch(/skipped .*cut\.jpg/)
    expect(outcome.stderr).toMatch(/skipped .*text\.png/)
    expect(outcome.stdout).toMatch(/2 broken pictures were left out/)
  })
})

async function truncatedJpeg(root: string): Promise<void> {
  const path = join(root, 'train', 'circle', 'cut.jpg')
  const noise = Buffer.from(Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 2654435761) >>> 24))
  const jpeg = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
    .jpeg()
    .toBuffer()
  await writeFile(path, jpeg.subarray(0, jpeg.length / 2))
}

describe('the command itself', () => {
  test('help carries examples, unknown commands and options are named, the version is the package’s', async () => {
    const [help, trainHelp, unknown, option] = await Promise.all(
      [['--help'], ['train', '--help'], ['trian', 'x'], ['train', 'x', '--epoch', '3']].map((args) => graft(args)),
    )
    expect([help?.code, trainHelp?.code, unknown?.code, option?.code]).toEqual([0, 0, 2, 2])
    expect(help?.stdout).toMatch(/Examples:\n {2}graft demo/)
    expect(trainHelp?.stdout).toMatch(/Examples:\n {2}graft train photos/)
    expect(unknown?.stderr).toMatch(/unknown command 'trian'[\s\S]*Did you mean train/)
    expect(option?.stderr).toMatch(/unknown option '--epoch'[\s\S]*--epochs/)
  })

  test('adapters says what there is, and what auto takes', async () => {
    const outcome = await graft(['adapters', '--json'])
    const [{ chosen, adapters } = { chosen: null, adapters: [] }] = outcome.events() as {
      chosen: string | null
      adapters: { kind: string; found: boolean }[]
    }[]
    expect(adapters.map(({ kind }) => kind)).toEqual(['hardware', 'lavapipe', 'swiftshader'])
    expect(chosen).toBe(adapters.find(({ found }) => found)?.kind)
  })

  test('a folder that is no run, and classes that are not the run’s', async () => {
    const nothing = await graft(['predict', folder, 'x.png'])
    expect([nothing.code, nothing.complaints]).toEqual([2, [expect.stringMatching(/no run folder/)]])
    const other = await spoiled('other-classes', (path) =>
      Promise.all(['train', 'val'].map((part) => cp(join(path, part, 'circle'), join(path, part, 'ring'), { recursive: true }))),
    )
    const evaluated = await graft(['evaluate', join(folder, 'run'), other])
    expect([evaluated.code, evaluated.complaints]).toEqual([1, [expect.stringMatching(/does not know ring/)]])
  })
})
