import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { exists, Workplace } from './cli/run.ts'

// Each is a process of its own, and a CPU adapter on a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 })

const root = fileURLToPath(new URL('..', import.meta.url))
let place: Workplace
beforeAll(async () => {
  place = await Workplace.make({ train: 6, val: 2 })
})
afterAll(() => place.remove())

/**
 * Runs an example as docs/programs.md says: the clone's tsconfig.json tells tsx where
 * 'graft-webgpu' lies.
 */
async function run(name: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', join('examples', name), ...args],
    {
      cwd: root,
    },
  )
  return stdout
}

describe('the examples', () => {
  test('auto.ts chooses, trains and evaluates', async () => {
    const stdout = await run('auto.ts', place.photos)
    expect(stdout).toMatch(/classifier\.5 +\d+\.\d to \d+\.\d %/)
    expect(stdout).toMatch(/^(small|large)-(similar|different): 18 images of 3 classes are few/m)
    expect(stdout).toMatch(/validation accuracy by epoch: (\d\.\d\d ?){10}/)
    expect(stdout).toMatch(/stripes: precision (null|[\d.]+), recall [\d.]+/)
  })

  test('compare.ts trains all four', async () => {
    const stdout = await run('compare.ts', place.photos, '0.5')
    for (const scenario of ['small-similar', 'small-different', 'large-similar', 'large-different'])
      expect(stdout).toContain(`'${scenario}'`)
    expect(stdout).toMatch(/auto would pick/)
  })

  test('byHand.ts learns', async () => {
    const losses = [...(await run('byHand.ts')).matchAll(/loss ([\d.]+)/g)].map(([, loss]) =>
      Number(loss),
    )
    expect(losses).toHaveLength(10)
    expect(losses.at(-1)).toBeLessThan(0.5 * (losses[0] ?? 0))
  })

  test('keep.ts keeps what it learned', async () => {
    const file = place.path('grafted.safetensors')
    const stdout = await run(
      'keep.ts',
      place.photos,
      file,
      join(place.photos, 'val', 'circle', '0.png'),
    )
    expect(await exists(file)).toBe(true)
    expect(stdout).toMatch(/class: '(circle|square|stripes)'/)
  })

  test('look.ts writes a step as a page, as JSON and as a trace', async () => {
    const stdout = await run('look.ts', place.folder, join(place.photos, 'val', 'circle', '0.png'))
    expect(stdout).toMatch(/^\d+ dispatches, .*; \d+ that did not run, such as features\.0 /m)
    expect(stdout).toMatch(/^\d+ tensors agree with float64$/m)
    const [html, json, trace] = await Promise.all(
      ['step.html', 'step.json', 'trace.json'].map((name) =>
        readFile(place.path(name), 'utf8').catch(() => ''),
      ),
    )
    const { dispatches, loss, train } = JSON.parse(json ?? '') as {
      dispatches: unknown[]
      loss: number
      train: boolean
    }
    expect([train, loss > 0]).toEqual([true, true])
    expect(html).toContain('features.0 weight gradient: not dispatched, the parameter is frozen')
    if (trace)
      expect(JSON.parse(trace)).toMatchObject({ traceEvents: { length: dispatches.length + 2 } })
  })

  test.each(['auto.ts', 'compare.ts', 'byHand.ts', 'keep.ts', 'look.ts'])(
    '%s has about thirty lines, and docs/programs.md names it',
    async (name) => {
      const lines = (await readFile(join(root, 'examples', name), 'utf8')).trim().split('\n')
      expect(lines.length).toBeLessThanOrEqual(40) // of at most 100 columns
      expect(await readFile(join(root, 'docs', 'programs.md'), 'utf8')).toContain(
        `examples/${name}`,
      )
    },
  )
})
