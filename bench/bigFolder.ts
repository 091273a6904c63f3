/**
 * A folder of 100,000 images (hard links to a few): how long until it is open and the first batch
 * has trained, and what memory does.
 *
 *     npx tsx bench/bigFolder.ts [--count 100000] [--seconds 150] [--mode train|features] [--dir DIR]
 *
 * `train` trains everything on augmented images, decoded anew in every epoch; `features` runs the
 * frozen layers over all of them, with the cache on disk. Prints one line each 10 seconds and a
 * JSON line at the end.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { alexnet, applyScenario, createEngine, FeatureCache, fit, openData } from '../src/index.ts'
import { linkedFolder } from '../test/support/linkedFolder.ts'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '150' },
    mode: { type: 'string', default: 'train' },
    dir: { type: 'string' },
  },
})
const [count, seconds, features] = [
  Number(values.count),
  Number(values.seconds),
  values.mode === 'features',
]
const folder = values.dir ?? (await mkdtemp(join(tmpdir(), 'graft-big-')))
await linkedFolder(join(folder, 'images'), count)

const begun = performance.now()
const elapsed = () => (performance.now() - begun) / 1000
const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20)
const memory: { readonly seconds: number; readonly rss: number }[] = []
let [firstBatch, images] = [Number.NaN, 0]
const sample = () => {
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
  memory.push({ seconds: elapsed(), rss: megabytes(rss) })
  const parts = `rss ${megabytes(rss)} MB, heap ${megabytes(heapUsed)}, buffers ${megabytes(arrayBuffers)}`
  console.log(
    `${elapsed().toFixed(0).padStart(4)} s  ${String(images).padStart(7)} images  ${parts}`,
  )
}

const data = await openData(join(folder, 'images'))
const opened = elapsed()
console.log(`open after ${opened.toFixed(1)} s: ${data.train.length} + ${data.val.length} images`)
const engine = await createEngine()
const model = await alexnet(engine, { weights: 'alexnet-64-tinyimagenet100' })
applyScenario(model, {
  scenario: features ? 'small-similar' : 'large-similar',
  classes: data.classes.length,
})
const stop = new AbortController()
const timer = setInterval(sample, 10_000)
const end = setTimeout(() => stop.abort(), 1000 * seconds)
await fit(model, data, {
  epochs: 1000,
  batchSize: 32,
  augment: !features,
  signal: stop.signal,
  featureCache: new FeatureCache({ folder: join(folder, 'cache') }),
  onEvent: (event) => {
    if (event.type !== 'step') return
    if (Number.isNaN(firstBatch)) firstBatch = elapsed()
    images += 32
  },
})
clearInterval(timer)
clearTimeout(end)
sample()
const after = memory.filter((one) => one.seconds >= 60).map(({ rss }) => rss)
const grown = after.length ? Math.max(...after) - (after[0] ?? 0) : null
console.log(
  JSON.stringify({
    mode: values.mode,
    adapter: engine.info.adapter,
    count,
    opened,
    firstBatch,
    images,
    rssAfterAMinute: after[0] ?? null,
    grownAfterwards: grown,
  }),
)
engine.dispose()
if (!values.dir) await rm(folder, { recursive: true, force: true })
