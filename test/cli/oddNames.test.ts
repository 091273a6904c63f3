import { mkdir, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { readSafetensors } from '../../src/weights/safetensors.ts'
import { plainPng, writeFiles } from '../data/images.ts'
import { oddNames } from '../support/oddNames.ts'
import { graft, Workplace } from './run.ts'

// Each command is a process of its own, and a CPU adapter on a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 })

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

describe('classes with the names of what every object has', () => {
  // Windows has no such files.
  const names = oddNames.filter((name) => process.platform !== 'win32' || !/[<>"|?*]/.test(name))

  test('train, continue, validate, predict, export and report', async () => {
    const photos = place.path('odd')
    for (const [i, name] of names.entries()) {
      await mkdir(place.path('odd', name), { recursive: true })
      for (const n of [0, 1, 2])
        await writeFiles(photos, { [`${name}/${n}.png`]: await plainPng(20 * i, 80 * n, 50) })
    }
    const run = place.path('run')
    const trained = await graft([
      ...[
        'train',
        photos,
        '--scenario',
        'small-similar',
        '--epochs',
        '1',
        '--batch-size',
        '8',
        '--out',
        run,
        '--json',
      ],
      ...['--class-weights', names.map((name, i) => `${name}=${i + 1}`).join(',')],
    ])
    expect([trained.code, trained.complaints]).toEqual([0, []])
    const sorted = [...names].sort()
    const config = JSON.parse(await readFile(place.path('run', 'config.json'), 'utf8')) as {
      classes: string[]
      options: { classWeights: Record<string, number> }
    }
    expect(config.classes).toEqual(sorted)
    const { classWeights } = config.options
    expect(new Map(Object.entries(classWeights))).toEqual(
      new Map(names.map((name, i) => [name, i + 1])),
    )
    const resumed = await graft(['train', photos, '--resume', '--epochs', '2', '--out', run])
    expect([resumed.code, resumed.complaints]).toEqual([0, []])

    const evaluated = await graft(['evaluate', run, photos, '--part', 'all', '--json'])
    expect([evaluated.code, evaluated.complaints]).toEqual([0, []])
    const { perClass } = evaluated.events().at(-1) as {
      perClass: { name: string; count: number }[]
    }
    expect(perClass.map(({ name, count }) => [name, count])).toEqual(
      sorted.map((name) => [name, 3]),
    )

    const image = place.path('odd', 'constructor', '0.png')
    const predicted = await graft(['predict', run, image, '--top', '99', '--json'])
    const [prediction] = predicted.events() as [{ top: { class: string }[] }]
    expect(prediction.top.map(({ class: name }) => name).sort()).toEqual(sorted)

    for (const format of ['safetensors', 'onnx', 'pth']) {
      const exported = await graft(['export', run, '--out', place.path(`odd.${format}`)])
      expect([exported.code, exported.complaints], format).toEqual([0, []])
    }
    const { metadata } = readSafetensors(await readFile(place.path('odd.safetensors')))
    expect(JSON.parse(metadata.classes ?? '')).toEqual(sorted)

    const reported = await graft(['report', run, '--out', place.path('odd.html')])
    expect([reported.code, reported.complaints]).toEqual([0, []])
    const page = await readFile(place.path('odd.html'), 'utf8')
    expect(page).not.toContain('<b>&amp;')
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty'])
      expect(page).toContain(`<bdi>${name}</bdi>`)
  })
})
