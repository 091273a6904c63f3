import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { storedImages } from '../../src/data/storedImages.ts'
import { putModel } from '../../src/jobs/node/models.ts'
import { spreadPredictions } from '../../src/jobs/node/spreadPredictions.ts'
import type { JobEvent } from '../../src/jobs/runner.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { Network } from '../../src/nn/network.ts'
import { openStore } from '../../src/store/node/openStore.ts'
import { answerLines, classified } from '../../src/train/answers.ts'
import { applyScenario } from '../../src/transfer/scenario.ts'
import { writeSafetensors } from '../../src/weights/safetensors.ts'
import { testEngine } from '../support/engine.ts'
import { drawnShapes } from '../support/shapes.ts'
import { runnerOfTests, stored } from '../support/stored.ts'

let folder: string
let model: Network
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-predictions-'))
  await stored(await drawnShapes({ train: 12 }), join(folder, 'images'))
  await writeFile(join(folder, 'images', 'train', 'circle', 'x.png'), 'text')
  model = await alexnet(await testEngine(), {
    variant: 'alexnet-64',
    channels: [8, 8, 12, 12, 8],
    hidden: 16,
    seed: 4,
  })
  const plan = applyScenario(model, { scenario: 'large-similar', classes: 3, replace: 'all' })
  model.classNames = ['circle', 'square', 'stripes']
  expect(plan.replace).toBe('all')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Classifies the images into a folder; shards of 32, as the batches of one go. */
async function answers(name: string, { top = 2, shardSize = 32, runner = runnerOfTests() } = {}) {
  const events: JobEvent[] = []
  const out = await openStore(join(folder, name))
  const work = await openStore(join(folder, name, '.graft'))
  const data = (await openStore(join(folder, 'images'))).address
  const { architecture } = model
  const reference = await putModel(work, writeSafetensors(await model.stateDict()), {
    architecture,
    cut: null,
    replace: 'all',
    seed: 1,
    classes: model.classNames ?? [],
  })
  const manifest = await spreadPredictions(
    await storedImages(data),
    data,
    { data, model: reference, top, tta: 1, trust: null, refuse: 0.05, format: 'csv' },
    { runner, work, out, prefix: 'images/', shardSize, onEvent: (event) => events.push(event) },
  )
  const last = events.findLast((event) => event.type === 'jobs')
  const texts = await Promise.all(
    manifest.parts.map(({ path }) => readFile(join(folder, name, path), 'utf8')),
  )
  return { manifest, texts, found: last?.type === 'jobs' ? last.found : null }
}

/** What one process prints for the same images. */
async function alone(top = 2): Promise<string[]> {
  const images = await storedImages((await openStore(join(folder, 'images'))).address)
  const samples = Array.from(images, ({ name, source }) => {
    return { name: `images/${name}`, source, label: 0 }
  })
  const lines: string[] = []
  const how = { top, tta: 1, trust: null, refuse: 0.05 }
  for await (const line of answerLines(classified(model, samples, how), 'csv', {
    top,
    judged: false,
  }))
    lines.push(line)
  return lines
}

test('the answers of all shards are those of one process; the manifest tells the rest', async () => {
  const { manifest, texts } = await answers('one')
  const [header, ...rows] = await alone()
  expect(texts.flatMap((text) => text.trimEnd().split('\n').slice(1))).toEqual(rows)
  expect(texts.map((text) => text.split('\n')[0])).toEqual([header, header])
  const adapter = (await testEngine()).info.adapter
  expect(manifest).toMatchObject({
    images: 49,
    predicted: 48,
    failed: [],
    adapters: { [adapter]: 48 },
    broken: [
      {
        name: 'images/train/circle/x.png',
        reason: expect.stringMatching(/x\.png: not a JPEG, PNG or WebP/),
      },
    ],
  })
  expect(JSON.parse(await readFile(join(folder, 'one', 'manifest.json'), 'utf8'))).toEqual(manifest)
  const names = (await readdir(join(folder, 'one'))).filter((name) => name.startsWith('part-'))
  expect(names.sort()).toEqual(manifest.parts.map(({ path }) => path))
})

test('what is done is found, and a file that was removed is made again', async () => {
  const first = await answers('again')
  expect(first.found).toBe(0)
  const second = await answers('again')
  expect([second.found, second.texts]).toEqual([2, first.texts])
  await rm(join(folder, 'again', first.manifest.parts[0]?.path ?? ''))
  const third = await answers('again')
  expect([third.texts, third.manifest]).toEqual([first.texts, first.manifest])
  // Other shards: no answer stays there twice.
  const other = await answers('again', { shardSize: 16 })
  expect(other.manifest.parts).toHaveLength(4)
  const names = (await readdir(join(folder, 'again'))).filter((name) => name.startsWith('part-'))
  expect(names).toHaveLength(4)
})

test('a place with the answers of another question is left as it is', async () => {
  await answers('other')
  await expect(answers('other', { top: 1 })).rejects.toThrow(
    /manifest\.json tells of another run, other images or other options: write the answers/,
  )
  await mkdir(join(folder, 'foreign'))
  await writeFile(join(folder, 'foreign', 'manifest.json'), '{"parts":[{"path":"../../x"}]}')
  await expect(answers('foreign')).rejects.toThrow(/is no manifest of answers \(parts\[0\]\.path/)
})
