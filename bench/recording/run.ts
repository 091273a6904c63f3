/**
 * What the recording code costs a training step of alexnet-64 when it is off, compared with the
 * same sources compiled without it; and whether the recorded times add up to the time of the step.
 * The variants take turns in one process on one adapter. The cost is measured with one image,
 * because there the host's share of the time is largest. Other work on the machine can only add
 * time, so the minimum of many rounds says most. Writes bench/results/recording-<adapter>.json.
 *
 *     npx tsx bench/recording/run.ts [--rounds 151] [--batch 16] [--adapter swiftshader]
 */

import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { at } from '../../src/base/at.ts'
import { writeFileAtomic } from '../../src/base/node/atomicFile.ts'
import {
  type AdapterChoice,
  type Engine,
  type Recording,
  type Tensor,
  UsageError,
} from '../../src/index.ts'
import { median } from '../statistics.ts'
import { buildGraft } from './build.ts'

const { values } = parseArgs({
  options: {
    batch: { type: 'string', default: '16' }, // of the steps whose times are added up
    rounds: { type: 'string', default: '151' },
    adapter: { type: 'string', default: 'auto' },
  },
})
const [batch, rounds] = [Number(values.batch), Number(values.rounds)]

interface Variant {
  readonly engine: Engine
  readonly step: (images: number) => Tensor
}

/** A network with its own engine; `step` encodes one training step and returns its loss. */
async function variant(name: string, recording: boolean): Promise<Variant> {
  const { alexnet, createEngine, crossEntropy, SGD } = await buildGraft(name, recording)
  const engine = await createEngine({ adapter: values.adapter as AdapterChoice })
  const model = await alexnet(engine, { variant: 'alexnet-64', seed: 1 })
  const optimizer = new SGD(model.parameters(), { lr: 1e-3, momentum: 0.9 })
  const inputs = new Map(
    [1, batch].map((n) => [
      n,
      engine.tensor(new Float32Array(n * 3 * 64 * 64).fill(0.5), [n, 3, 64, 64]),
    ]),
  )
  const step = (images: number) => {
    const loss = crossEntropy(
      model.forward(inputs.get(images) as Tensor, { training: true }),
      new Int32Array(images),
    )
    loss.backward()
    optimizer.step()
    optimizer.zeroGrad()
    return loss
  }
  return { engine, step }
}

/** Milliseconds for encoding a step, and for the whole step until its loss is on the host. */
async function timed({
  engine,
  step,
}: Variant): Promise<{ readonly encoding: number; readonly whole: number }> {
  const begun = performance.now()
  const loss = step(1)
  const encoded = performance.now()
  await loss.data()
  const ended = performance.now()
  loss.dispose()
  await engine.gpu.settle()
  return { encoding: encoded - begun, whole: ended - begun }
}

interface Spread {
  readonly least: number
  readonly median: number
  readonly middleHalf: readonly [number, number]
}

function spread(figures: readonly number[]): Spread {
  const sorted = [...figures].sort((a, b) => a - b)
  const quantile = (share: number) => rounded(at(sorted, Math.floor(share * (sorted.length - 1))))
  return {
    least: quantile(0),
    median: rounded(median(figures)),
    middleHalf: [quantile(0.25), quantile(0.75)],
  }
}

/** A recorded time, which an adapter with timestamps always has. */
function timeOf(milliseconds: number | null): number {
  if (milliseconds === null) throw new Error('the recording has no times')
  return milliseconds
}

const rounded = (value: number) => Number(value.toPrecision(5))

const variants = {
  without: await variant('without', false),
  off: await variant('off', true),
  /** The same as `off`: a difference between these two is noise. */
  offAgain: await variant('off-again', true),
}
type Name = keyof typeof variants
const names = Object.keys(variants) as Name[]
const { engine, step } = variants.off
if (!engine.info.features.includes('timestamp-query'))
  throw new UsageError(
    'this adapter has no timestamps, which this benchmark needs; choose another one',
  )

for (const name of names) for (let i = 0; i < 10; i++) await timed(variants[name])
step(batch).dispose()
const times: Record<Name, { encoding: number; whole: number }[]> = {
  without: [],
  off: [],
  offAgain: [],
}
const [passes, sums, spans]: [number[], number[], number[]] = [[], [], []]
let last: Recording | null = null
for (let round = 0; round < rounds; round++) {
  // Each is the first one equally often.
  for (let i = 0; i < names.length; i++) {
    const name = names[(round + i) % names.length] as Name
    times[name].push(await timed(variants[name]))
  }
  if (round % 5) continue
  passes.push(await engine.gpu.time(() => step(batch).dispose()))
  const recorder = engine.record()
  step(batch).dispose()
  last = await recorder.finish()
  const end = at(last.dispatches, last.dispatches.length - 1)
  sums.push(timeOf(last.milliseconds))
  spans.push(timeOf(end.begin) + timeOf(end.milliseconds))
}

const of = (what: 'encoding' | 'whole', name: Name) => spread(times[name].map((one) => one[what]))
/** Ratios of a's times to b's: of the minimums, and of the medians. */
const over = (a: Spread, b: Spread) => ({
  least: rounded(a.least / b.least),
  median: rounded(a.median / b.median),
})
const compared = (a: Name, b: Name) => ({
  encoding: over(of('encoding', a), of('encoding', b)),
  whole: over(of('whole', a), of('whole', b)),
})
const results = {
  adapter: engine.info.adapter,
  kind: engine.info.kind,
  date: new Date().toISOString(),
  network: 'alexnet-64',
  rounds,
  dispatches: last?.dispatches.length,
  milliseconds: Object.fromEntries(
    names.map((name) => [name, { encoding: of('encoding', name), whole: of('whole', name) }]),
  ),
  offOverWithout: compared('off', 'without'),
  noise: compared('offAgain', 'off'),
  recorded: {
    batch,
    stepAsOnePass: spread(passes),
    sumOfDispatches: spread(sums),
    firstToLast: spread(spans),
    /**
     * Of the medians: the two are timed seconds apart, so the machine may have been faster at the
     * minimum of one than at the minimum of the other.
     */
    sumOverStep: rounded(median(sums) / median(passes)),
  },
}
const file = fileURLToPath(
  new URL(`../results/recording-${engine.info.kind}.json`, import.meta.url),
)
await writeFileAtomic(file, `${JSON.stringify(results, null, 2)}\n`)
const ratio = ({ least, median }: { readonly least: number; readonly median: number }) =>
  `${least.toFixed(3)}, of medians ${median.toFixed(3)}`
const { offOverWithout, noise, recorded } = results
console.log(
  `${results.adapter}, a training step of alexnet-64, ${results.dispatches} dispatches, ` +
    `minimum of ${rounds} rounds`,
)
for (const what of ['encoding', 'whole'] as const) {
  const least = of(what, 'off').least.toFixed(2)
  console.log(
    `  ${what === 'whole' ? 'whole step of one image' : 'encoding it'}, recording off: ${least} ms`,
  )
  console.log(`    compared with no recording code  ${ratio(offOverWithout[what])}`)
  console.log(`    compared with itself             ${ratio(noise[what])}`)
}
console.log(
  `  recorded dispatches of a step of ${batch} images, added up, over the step's GPU time ` +
    `(medians)  ${recorded.sumOverStep.toFixed(3)}`,
)
console.log(`written: ${file}`)
for (const name of names) variants[name].engine.dispose()
