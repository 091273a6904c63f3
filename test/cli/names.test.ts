import { cp, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { fsPath } from '../../src/base/node/fileNames.ts'
import { printable } from '../../src/base/printable.ts'
import { narrowWeights } from '../support/narrowWeights.ts'
import { filesIn } from '../support/sources.ts'
import { type GraftOptions, graft, type Outcome, Workplace } from './run.ts'
import { graftHere, trainOnceHere } from './runHere.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

/** Names that would turn a line, clear a screen, or hide in one. */
const oddClasses = {
  circle: 'cir\u202ecle\u001b[2J',
  square: 'sq\u200buare\u2066',
  stripes: 'constructor',
} as const
const oddFile = 'cat\u202egpj\u0007.png'

let place: Workplace
/** A folder with such names, and a run on it. */
let folder: string
let run: string
/** Options for a network that is trained quickly. */
let narrow: string[]

/** What a command printed for people: nothing in it acts on a terminal. */
function expectShown({ stdout, stderr }: Outcome): void {
  for (const line of `${stdout}\n${stderr}`.split('\n')) expect(line).toBe(printable(line))
}

beforeAll(async () => {
  place = await Workplace.make()
  folder = await place.spoiled('odd', async (root) => {
    for (const part of ['train', 'val'])
      for (const [name, odd] of Object.entries(oddClasses)) {
        await rename(join(root, part, name), join(root, part, odd))
        await rename(join(root, part, odd, '0.png'), join(root, part, odd, oddFile))
      }
    await writeFile(join(root, 'train', oddClasses.circle, 'broken\u202e.png'), 'text')
  })
  run = place.path('run\u202e')
  narrow = ['--weights', await narrowWeights(place.path('narrow.safetensors'))]
  const trained = await trainOnceHere(folder, run, ...narrow)
  expect(trained.code).toBe(0)
  expectShown(trained)
  expect(trained.stdout).toContain('cir\\u202ecle\\u001b[2J')
  expect(trained.stderr).toContain('broken\\u202e.png')
})
afterAll(() => place.remove())

describe('names that would act on a terminal', () => {
  const image = () => join(folder, 'val', oddClasses.circle, oddFile)
  const commands: Readonly<Record<string, () => string[]>> = {
    'train --resume': () => ['train', folder, '--epochs', '2', '--out', run, '--resume'],
    'train into the same folder': () => ['train', folder, '--out', run],
    predict: () => ['predict', run, image()],
    'predict of nothing': () => ['predict', run, `${image()}\u202e`],
    evaluate: () => ['evaluate', run, folder],
    explain: () => ['explain', run],
    report: () => ['report', run, '--top-losses', '1'],
    'show-batch': () => [
      'show-batch',
      folder,
      '--out',
      place.path('sheet\u202e.png'),
      '--count',
      '2',
    ],
    'lr-find': () => ['lr-find', folder, ...narrow],
    export: () => ['export', run, '--format', 'onnx', '--out', place.path('a\u202e.onnx')],
    inspect: () => ['inspect', run, '--out', place.path('inspect\u202e.html')],
    'no such folder': () => ['train', `${folder}\u202e\n\u001b[2J`],
    'no such option': () => ['train', folder, '--no\u202e\u001b[2J'],
    'no such command': () => ['tra\u202ein'],
    'a wrong value': () => [
      'train',
      folder,
      '--scenario',
      'small-similar',
      '--epochs',
      '\u202e\u001b',
    ],
  }

  test.each(Object.entries(commands))('%s shows them escaped', async (_, args) => {
    expectShown(await graftHere(args()))
  })

  test.each([
    'train --resume',
    'predict',
    'predict of nothing',
    'evaluate',
    'explain',
    'no such folder',
    'no such option',
  ])('%s --json prints one object a line', async (name) => {
    const outcome = await graftHere([...(commands[name]?.() ?? []), '--json'])
    const events = outcome.events()
    for (const event of events) expect(event).toHaveProperty('type')
    expectShown({ ...outcome, stdout: '' })
    // Names are data: a program gets them as they are.
    if (name === 'predict' || name === 'evaluate')
      expect(JSON.stringify(events)).toContain(JSON.stringify(oddClasses.circle))
    if (outcome.code !== 0) expect(events.at(-1)).toMatchObject({ type: 'error' })
  })

  test('no command writes past the one place that escapes', async () => {
    const files = await filesIn(['src/cli'], /\.ts$/)
    const writing = files
      .filter(({ text }) => /process\.std(out|err)\.write|console\./.test(text))
      .map(({ path }) => path)
    expect(writing).toEqual(['src/cli/main.ts', 'src/cli/output.ts'])
  })
})

/** Runs a script of bash in which "$@" is the command, so that its arguments can be any bytes. */
function inShell(script: string, options: GraftOptions = {}): Promise<Outcome> {
  return graft([], { ...options, within: ['bash', '-c', script, 'bash'] })
}

// Other systems refuse such names, or change them.
describe.runIf(process.platform === 'linux')('names that are not UTF-8', () => {
  const shown = 'K\\xe4fer'
  let latin: string
  beforeAll(async () => {
    latin = await place.spoiled('latin', async (root) => {
      for (const part of ['train', 'val']) {
        await rename(join(root, part, 'circle'), fsPath(join(root, part, 'K\udce4fer')))
        for (const [i, name] of ['gr\udcfc\udcdfe.png', 'gr\udcfc\udcdfE.png'].entries())
          await rename(
            join(root, part, 'square', `${i}.png`),
            fsPath(join(root, part, 'square', name)),
          )
      }
    })
  })

  test('train, and every command after it', async () => {
    const out = place.path('latin-run')
    const train = ['train', latin, '--scenario', 'small-similar', '--epochs', '1', '--out', out]
    const trained = await graft([...train, ...narrow])
    expect([trained.code, trained.complaints]).toEqual([0, []])
    expectShown(trained)
    expect(trained.stdout).toContain(`${shown} 4 + 2`)
    // The command to type next is taken as it is printed.
    const next = /^ +node \S+graft\.js (predict .*)$/m.exec(trained.stdout)?.[1] ?? ''
    expect(next).toContain(`K\\xe4fer`)
    const predicted = await inShell(`"$@" ${next}`)
    expect([predicted.code, predicted.complaints]).toEqual([0, []])
    expect(predicted.stdout).toContain(shown)
    const evaluated = await graftHere(['evaluate', out, latin, '--json'])
    expect(evaluated.code).toBe(0)
    expect(evaluated.stdout).toContain('K\\udce4fer')
    const reported = await graftHere(['report', out, '--top-losses', '1'])
    expect([reported.code, reported.complaints]).toEqual([0, []])
    const page = await readFile(join(out, 'report.html'), 'utf8')
    expect([page.includes(shown), page.includes('\ufffd')]).toEqual([true, false])
    for (const args of [
      ['explain', out],
      ['train', latin, '--epochs', '2', '--out', out, '--resume'],
    ])
      expect((await graftHere(args)).complaints).toEqual([])
    const exported = place.path('latin.onnx')
    expect((await graftHere(['export', out, '--format', 'onnx', '--out', exported])).code).toBe(0)
  })

  test('nothing is written under such a name', async () => {
    const { complaints } = await inShell(`"$@" train . --out $'r\\xfc'`, { cwd: latin })
    expect(complaints).toEqual([
      "graft: option '--out <run>' argument 'r\\xfc' is invalid. It takes a name in UTF-8.",
    ])
  })

  test('a folder of such a name is trained on, and found again by the report', async () => {
    await cp(place.photos, place.path('bytes', 'data'), { recursive: true })
    await rename(place.path('bytes', 'data'), fsPath(place.path('bytes', 'd\udce4ta')))
    const here = { cwd: place.path('bytes') }
    const trained = await inShell(`"$@" train $'d\\xe4ta' --epochs 1`, here)
    expect([trained.code, trained.complaints]).toEqual([0, []])
    expect(await readdir(place.path('bytes', 'runs'))).toEqual(['d_ta'])
    // From inside the folder as well.
    const inside = await inShell(`cd $'d\\xe4ta' && "$@" train . --epochs 1 --out ../run`, here)
    expect([inside.code, inside.complaints]).toEqual([0, []])
    for (const run of ['runs/d_ta', 'run']) {
      const reported = await graftHere(['report', run, '--top-losses', '0'], here)
      expect([reported.code, reported.complaints]).toEqual([0, []])
    }
  })
})

test('graft train . in a folder of classes, and the commands that it prints', async () => {
  const classes = place.path('here')
  await cp(join(place.photos, 'train'), classes, { recursive: true })
  const here = (args: readonly string[]) => graftHere(args, { cwd: classes })
  expect((await here(['train', '.', '--epochs', '1', ...narrow])).code).toBe(0)
  const run = 'runs/here'
  const said = 'graft: passed over folders of trained runs: runs'
  for (const args of [
    ['evaluate', run, '.'],
    ['train', '.', '--resume', '--epochs', '2'],
    ['report', run, '--top-losses', '1'],
    ['show-batch', '.', '--count', '2'],
  ]) {
    const { code, complaints } = await here(args)
    expect([code, complaints]).toEqual([0, [said]])
  }
  const again = await here(['train', '.', '--epochs', '1', '--out', 'model', ...narrow])
  expect(again.complaints).toContain('graft: passed over folders of trained runs: runs')
})
