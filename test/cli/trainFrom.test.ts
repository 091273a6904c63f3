import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { loadWeights } from '../../src/weights/load.ts'
import { writeSafetensors } from '../../src/weights/safetensors.ts'
import { Workplace } from './run.ts'
import { graftHere, trainOnceHere } from './runHere.ts'

// A CPU adapter on a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 })

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

const fixture = (name: string) =>
  fileURLToPath(new URL(`../weights/fixtures/${name}`, import.meta.url))

describe('train --weights', () => {
  test('a PyTorch checkpoint: variant and widths are the file’s, and the run needs the file no more', async () => {
    const run = place.path('from-pytorch')
    const trained = await graftHere([
      'train',
      place.photos,
      '--weights',
      fixture('zip-nested.pth'),
      '--epochs',
      '1',
      '--out',
      run,
      '--json',
    ])
    expect([trained.code, trained.complaints]).toEqual([0, []])
    expect(trained.events().at(-1)).toMatchObject({
      type: 'result',
      plan: { scenario: 'small-similar', replace: 'last', startsFrom: 'pretrained' },
    })
    const evaluated = await graftHere(['evaluate', run, place.photos, '--json'])
    expect(evaluated.events().at(-1)).toMatchObject({ type: 'result', count: 6 })
  })

  test('a TensorFlow.js model', async () => {
    const run = place.path('from-tfjs')
    const trained = await graftHere([
      'train',
      place.photos,
      '--weights',
      fixture('tfjs-made/model.json'),
      '--epochs',
      '1',
      '--out',
      run,
      '--json',
    ])
    expect([trained.code, trained.complaints]).toEqual([0, []])
    expect(trained.events().at(-1)).toMatchObject({ type: 'result' })
  })

  test('a run whose FC layers were replaced, its export, and a cut run: their features', async () => {
    const train = async (out: string, ...options: string[]) => {
      const run = place.path(out)
      const outcome = await trainOnceHere(place.photos, run, ...options)
      expect([outcome.code, outcome.complaints]).toEqual([0, []])
      return { run, said: outcome.stdout }
    }
    const first = await train('first', '--replace', 'all')
    const onnx = place.path('first.onnx')
    expect((await graftHere(['export', first.run, '--out', onnx])).code).toBe(0)
    for (const weights of [join(first.run, 'weights.safetensors'), onnx]) {
      const { said } = await train('second', '--weights', weights, '--force')
      expect(said).toMatch(/ left +classifier\.6\..*\[3, 864\]/)
      expect(said).toMatch(/ new +classifier\.6: FC 864 to 3/)
    }
    const cut = await train('cut', '--scenario', 'small-different')
    const again = await train('third', '--weights', cut.run)
    expect(again.said).toMatch(/The weights end at features\.7, so the network is cut there/)
    const evaluated = await graftHere(['evaluate', again.run, place.photos, '--json'])
    expect(evaluated.events().at(-1)).toMatchObject({ type: 'result', count: 6 })
    const start = ['--weights', cut.run]
    const page = place.path('page.html')
    for (const command of [
      ['lr-find', place.photos, ...start],
      ['train', place.photos, ...start, '--scenario', 'auto', '--out', place.path('fourth')],
      ['compare', place.photos, ...start, '--epochs', '1', '--out', page],
      ['inspect', ...start, '--scenario', 'small-similar', '--out', page],
    ]) {
      const { code, complaints } = await graftHere(command)
      expect([code, complaints], command.join(' ')).toEqual([0, []])
    }
    const whole = await graftHere(['inspect', ...start, '--out', page])
    expect([whole.code, whole.complaints]).toEqual([
      1,
      [expect.stringMatching(/has no values: the weights have .* apply a --scenario/)],
    ])
  })

  test('a file with two networks: --weights-prefix says which, and what is ignored is listed', async () => {
    const { tensors } = await loadWeights('alexnet-64-tinyimagenet100')
    const named = (prefix: string) =>
      Object.entries(tensors).map(([name, array]) => [`${prefix}${name}`, array] as const)
    const file = place.path('two.safetensors')
    const two = Object.fromEntries([...named('student.'), ...named('teacher.')])
    await writeFile(file, writeSafetensors(two))
    const args = ['train', place.photos, '--weights', file, '--out', place.path('two')]
    const asked = await graftHere(args)
    expect([asked.code, asked.complaints]).toEqual([
      1,
      [
        expect.stringMatching(
          /two\.safetensors: features\.0\.weight stands behind "student\.", "teacher\.".* with --weights-prefix student\.$/,
        ),
      ],
    ])
    const told = await graftHere(args.concat('--weights-prefix', 'teacher.', '--epochs', '1'))
    expect([told.code, told.complaints]).toEqual([
      0,
      [expect.stringMatching(/ignored, .*: "student\.classifier\.1\.bias", .* and 4 more$/)],
    ])
  })

  test.each([
    [[], /--weights-key says where in a file the weights are: name the file with --weights/],
    [['--weights', 'none'], /--weights-key says where/],
    [
      ['--weights', 'alexnet-64-tinyimagenet100'],
      /--weights-key says where .* Graft knows the file of alexnet-64-tinyimagenet100: leave it out/,
    ],
    [
      ['--weights', fixture('f32.safetensors')],
      /only a PyTorch checkpoint has dictionaries to choose from: leave --weights-key out/,
    ],
    [
      ['--weights', fixture('zip-nested.pth')],
      /no dictionary under "ema"; tensors are under .*: correct --weights-key, or leave it out/,
    ],
  ])('--weights-key is not ignored: %j', async (options, message) => {
    const args = ['train', place.photos, '--weights-key', 'ema', '--out', place.path('none')]
    const { code, complaints } = await graftHere(args.concat(options))
    expect(code).toBeGreaterThan(0)
    expect(complaints).toEqual([expect.stringMatching(message)])
  })

  test('a file that is none is one line and no run', async () => {
    const outcome = await graftHere([
      'train',
      place.photos,
      '--weights',
      fixture('make_fixtures.py'),
      '--out',
      place.path('none'),
    ])
    expect(outcome.code).not.toBe(0)
    expect(outcome.complaints).toEqual([
      expect.stringMatching(
        /make_fixtures\.py: this is not a weights file that Graft knows: it reads PyTorch/,
      ),
    ])
  })
})
