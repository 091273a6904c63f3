import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { graft, Workplace } from './run.ts'

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make()
})
afterAll(() => place.remove())

const network = [
  'inspect',
  '--variant',
  'alexnet-64',
  '--weights',
  'alexnet-64-tinyimagenet100',
] as const

describe('graft inspect', () => {
  test('writes one page of a training step, a few megabytes large, that names no other place', async () => {
    const path = place.path('page.html')
    const { code, stdout, complaints } = await graft([
      ...network,
      '--scenario',
      'small-similar',
      '--train',
      '--out',
      path,
    ])
    expect([code, complaints]).toEqual([0, []])
    expect(stdout).toMatch(/^step +forward, backward and SGD: \d+ dispatches/m)
    expect(stdout).toMatch(/^checked +\d+ tensors agree with float64/m)
    expect(stdout).toMatch(/^left out +\d+ pieces of work, such as features\.0 /m)
    const html = await readFile(path, 'utf8')
    expect((await stat(path)).size).toBeLessThan(12 * 2 ** 20)
    expect(html.match(/<(script|link|img)[^>]*(src|href)="(?!data:)/g)).toBeNull()
    expect(html).toContain('features.0 weight gradient: not dispatched, the parameter is frozen')
  })

  test('--json says what ran, and writes nothing', async () => {
    const { code, events } = await graft([...network, '--json'], { cwd: place.folder })
    const result = events().at(-1) as {
      dispatches: { kernel: string; bindings: unknown[] }[]
      diverging: null
      loss: null
    }
    expect(code).toBe(0)
    expect(result.dispatches.length).toBeGreaterThan(15)
    expect(result.dispatches[0]?.kernel).toMatch(/\.wgsl$/)
    expect(result).toMatchObject({ type: 'result', diverging: null, loss: null, train: false })
    expect(result).not.toHaveProperty('path')
  })

  test.each<[string, string[], RegExp]>([
    ['nothing to inspect', [], /name a run folder, or a network with --variant/],
    ['a folder that is no run', ['photos'], /photos is no run folder/],
    [
      'a run and a network',
      ['photos', '--variant', 'bvlc'],
      /a run has its own network: leave out --variant/,
    ],
    [
      'a label without training',
      ['--variant', 'alexnet-64', '--label', '3'],
      /--label belongs to --train/,
    ],
    [
      'two places',
      ['--variant', 'alexnet-64', '--out', 'a.html', '--trace', 'b.json'],
      /choose one of --out and --trace/,
    ],
    [
      'an unknown class',
      [...network.slice(1), '--train', '--label', 'zeppelin'],
      /there is no class zeppelin; there are /,
    ],
    ['an image that is not there', ['--variant', 'alexnet-64', '--image', 'none.jpg'], /none\.jpg/],
  ])('refuses %s', async (_, args, message) => {
    const { code, complaints } = await graft(['inspect', ...args], { cwd: place.folder })
    expect(code).toBeGreaterThan(0)
    expect(complaints).toHaveLength(1)
    expect(complaints[0]).toMatch(message)
  })
})

test.each([
  ['inspect', '--variant', 'alexnet-64', '--serve'],
  ['web', '--port'],
])('%s: a port that is taken is one line, before anything is computed', async (...args) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const { code, stdout, complaints } = await graft([...args, String(port)])
  other.close()
  expect([code, stdout, complaints]).toEqual([
    2,
    '',
    [
      `graft: cannot serve on port ${port}: another program uses it; ` +
        'choose another port, or 0 for one that is free',
    ],
  ])
})

describe('graft check', () => {
  test('checks what it is told to, and says where the worst error is', async () => {
    const { code, stdout } = await graft(['check', 'relu', 'softmax', '--cases', '3'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^relu +y +float64 +9 +0 +\[[\d, ]+\] +ok +relu\/forward$/m)
    expect(stdout).toMatch(/^All \d+ comparisons are within what float32 may be off by/m)
  })

  test('refuses what there is not', async () => {
    const { code, complaints } = await graft(['check', 'conv3d'])
    expect(code).toBe(2)
    expect(complaints[0]).toMatch(
      /there is nothing called conv3d to check; choose from adaptiveAvgPool2d, add, avgPool2d, /,
    )
  })
})
