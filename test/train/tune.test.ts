import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEngineOn } from '../../src/createEngine.ts'
import { parseTilings } from '../../src/gpu/tiling/tilingCache.ts'
import type { AdapterChoice } from '../../src/host/host.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { tune } from '../../src/train/tune.ts'

const adapter = (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice
const narrow = { variant: 'alexnet-64', channels: [4, 4, 4, 4, 4], hidden: 8, classes: 3 } as const
const tile = { kernel: 'tile', rows: 8, columns: 4, steps: 8, splits: 1 } as const

/** nodeHost with its own text for one shader. */
function withShader(path: string, change: (text: string) => string): typeof nodeHost {
  return {
    ...nodeHost,
    async readShaders() {
      const files = new Map(await nodeHost.readShaders())
      const before = files.get(path) ?? ''
      const after = change(before)
      if (after === before) throw new Error(`the change of ${path} finds nothing to change`)
      return files.set(path, after)
    },
  }
}

describe('tuning', () => {
  let folder = ''
  let engine: Engine
  const before = process.env.GRAFT_CACHE
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'graft-tune-'))
    process.env.GRAFT_CACHE = folder
    engine = await createEngineOn(nodeHost, { adapter })
  })
  afterAll(async () => {
    engine.dispose()
    if (before === undefined) delete process.env.GRAFT_CACHE
    else process.env.GRAFT_CACHE = before
    await rm(folder, { recursive: true })
  })

  test('measures every contraction of a step, keeps what wins for later engines, and leaves nothing behind', async () => {
    const model = await alexnet(engine, narrow)
    for (const parameter of model.parameters())
      parameter.trainable = parameter.name.startsWith('classifier.6')
    await model.stateDict() // parameters take their memory when they are first needed
    const held = engine.memory().buffers
    let last = [0, 0]
    const results = await tune(model, {
      batchSize: 4,
      onProgress: (done, total) => {
        last = [done, total]
      },
    })
    expect(last).toEqual([results.length, results.length])
    // five convolutions, three dense layers, one weight gradient; equal ones count once
    expect(results.length).toBeGreaterThan(5)
    for (const { tried, wrong, beforeMs, bestMs } of results) {
      expect(tried).toBeGreaterThan(1)
      expect([wrong, bestMs <= beforeMs]).toEqual([0, true])
    }
    expect(engine.memory().buffers).toBe(held)
    expect(model.parameters().every(({ grad }) => grad === null)).toBe(true)

    const later = await createEngineOn(nodeHost, { adapter })
    expect(later.gpu.tilings?.measured).toEqual(
      Object.fromEntries(results.map(({ key, best }) => [key, best])),
    )
    later.dispose()
  })

  test('another kernel text has tilings of its own', async () => {
    const other = await createEngineOn(
      withShader('contract/tile.wgsl', (text) => `${text}\n// changed`),
      { adapter },
    )
    expect(other.gpu.tilings?.measured).toEqual({})
    other.dispose()
  })

  test('a tiling that computes wrong numbers cannot win', async () => {
    // The tall tiles lose their last step, and are fast.
    const broken = withShader('contract/tile.wgsl', (text) =>
      text.replace('k0 < end_k0', 'k0 < end_k0 - #{ROWS / 16}u'),
    )
    const wrongEngine = await createEngineOn(broken, { adapter })
    if (wrongEngine.gpu.tilings?.lanes) {
      const model = await alexnet(wrongEngine, { ...narrow, channels: [4, 16, 4, 4, 4] })
      for (const parameter of model.parameters()) parameter.trainable = false
      const results = await tune(model, { batchSize: 4 })
      expect(results.some(({ wrong }) => wrong > 0)).toBe(true)
      for (const { best, wrong, tried } of results)
        if (wrong > 0 && wrong < tried && best.kernel === 'tile') expect(best.rows).toBe(8)
    }
    wrongEngine.dispose()
  })

  test('a stored table that is broken is as none', async () => {
    for (const name of await readdir(join(folder, 'tunings'))) {
      const path = join(folder, 'tunings', name)
      await writeFile(path, (await readFile(path, 'utf8')).slice(0, -2))
    }
    const later = await createEngineOn(nodeHost, { adapter })
    expect(later.gpu.tilings?.measured).toEqual({})
    later.dispose()
  })
})

test.each<[string, string | null, object]>([
  ['none', null, {}],
  ['no JSON', '{', {}],
  ['no table', '3', {}],
  ['a tiling', JSON.stringify({ a: tile }), { a: tile }],
  [
    'a tiling beside what is none',
    JSON.stringify({ a: tile, b: { ...tile, rows: 6 }, c: { kernel: 'other' }, d: null }),
    { a: tile },
  ],
])('stored tilings: %s', (_, text, expected) => {
  expect(parseTilings(text)).toEqual(expected)
})
