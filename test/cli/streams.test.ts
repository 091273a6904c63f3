import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { exists, graft, trainOnce, truncatedJpeg, Workplace } from './run.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

/** Runs a command with its streams connected in a way that a shell knows. */
const through = (redirection: string) => ({
  within: ['bash', '-c', `exec "$@" ${redirection}`, 'bash'],
})
const lost = /^graft: standard output takes no more \(.*ENOSPC.*\): the work goes on without it$/

let place: Workplace
let run: string
/** Images, of which some are broken: training says so on the error stream. */
let broken: string
beforeAll(async () => {
  place = await Workplace.make()
  run = place.path('run')
  broken = await place.spoiled('broken', async (path) => {
    await truncatedJpeg(path)
    await writeFile(join(path, 'train', 'circle', 'empty.png'), '')
  })
  expect((await trainOnce(place.photos, run)).code).toBe(0)
})
afterAll(() => place.remove())

describe.skipIf(!existsSync('/dev/full'))('a stream that takes nothing', () => {
  test.each<[string, string, number, boolean]>([
    ['a full disk behind standard output', '> /dev/full', 1, true],
    ['a full disk behind the error stream', '2> /dev/full', 0, false],
    ['a full disk behind both', '> /dev/full 2>&1', 1, false],
    ['an error stream without a reader', '2> >(exec true)', 0, false],
    ['closed streams', '>&- 2>&-', 0, false],
  ])('%s costs no training', async (name, redirection, code, said) => {
    const out = place.path(name)
    const trained = await graft(
      ['train', broken, '--scenario', 'small-similar', '--epochs', '2', '--out', out],
      through(redirection),
    )
    expect(trained.code).toBe(code)
    expect(trained.complaints.filter((line) => lost.test(line))).toHaveLength(said ? 1 : 0)
    expect(trained.stderr).not.toMatch(/\n {4}at /)
    for (const file of ['weights.safetensors', 'metrics.jsonl', 'checkpoints'])
      expect(await exists(join(out, file))).toBe(true)
  })

  test.each<[string, string[]]>([
    ['help', ['--help']],
    ['version', ['--version']],
    ['weights', ['weights', 'list', '--json']],
    ['predict', ['predict', 'RUN', 'IMAGE']],
    ['evaluate', ['evaluate', 'RUN', 'PHOTOS', '--json']],
    ['explain', ['explain', 'RUN']],
    ['an error', ['predict', 'RUN', 'nowhere.png', '--json']],
  ])('%s: one line and a code, no stack trace', async (_, args) => {
    const full = await graft(args.map(filled), through('> /dev/full'))
    expect(full.code).toBe(1)
    expect(full.complaints.filter((line) => lost.test(line))).toHaveLength(1)
    expect(full.stderr).not.toMatch(/\n {4}at /)
  })

  test.each<[string, string[]]>([
    ['weights', ['weights', 'list']],
    ['predict', ['predict', 'RUN', 'IMAGE']],
    ['check', ['check', 'relu', '--cases', '3', '--json']],
  ])('%s without a reader ends as a shell expects, and says nothing', async (_, args) => {
    const alone = await graft(args.map(filled), through('> >(exec true)'))
    expect([alone.code, alone.complaints]).toEqual([141, []])
  })

  test('a reader that goes away while training ends it in order, also when it says nothing more', async () => {
    const out = place.path('left')
    const left = await graft(
      ['train', broken, '--scenario', 'small-similar', '--epochs', '5000', '--out', out, '--json'],
      through('> >(grep -m 1 type.:.epoch > /dev/null) 2> >(exec true)'),
    )
    expect(left.code).toBe(141)
    expect(await exists(join(out, 'weights.safetensors'))).toBe(true)
  })
})

function filled(word: string): string {
  if (word === 'IMAGE') return join(place.photos, 'val', 'circle', '0.png')
  return word === 'RUN' ? run : word === 'PHOTOS' ? place.photos : word
}
