/**
 * A folder of 100,000 images (hard links to a few): the time until it is open and until the first
 * batch has trained, and the memory in use.
 *
 *     npx tsx bench/bigFolder.ts [--count 100000] [--seconds 150] [--mode train|features]
 *         [--dir DIR]
 *
 * `train` trains all layers on augmented images, which are decoded again in every epoch; `features`
 * runs the frozen layers on all images, with the cache on disk. Prints a line every 10 seconds and
 * a JSON line at the end.
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
  console.log(
    `${elapsed().toFixed(0).padStart(4)} s  ${String(images).padStart(7)} images  ` +
      `rss ${megabytes(rss)} MB, heap ${megabytes(heapUsed)}, buffers ${megabytes(arrayBuffers)}`,
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
const [afterAMinute = null] = after // null in a run of less than a minute
const grown = afterAMinute === null ? null : Math.max(...after) - afterAMinute
console.log(
  JSON.stringify({
    mode: values.mode,
    adapter: engine.info.adapter,
    count,
    opened,
    firstBatch,
    images,
    rssAfterAMinute: afterAMinute,
    grownAfterwards: grown,
  }),
)
engine.dispose()
if (!values.dir) await rm(folder, { recursive: true, force: true })
