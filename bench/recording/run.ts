/**
 * What recording costs a training step of alexnet-64: off, beside the same sources compiled without
 * any recording code, and on; and whether the recorded times add up to the step's. Variants take
 * turns in one process on one adapter. What recording costs is asked of a step of one image, in
 * which the host's part is largest; a busy machine only ever adds time, so the least of many rounds
 * says most. Writes bench/results/recording-<adapter>.json.
 *
 *     npx tsx bench/recording/run.ts [--rounds 151] [--batch 16] [--adapter swiftshader]
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
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

/** A network with its own engine; `step` encodes one training step and gives its loss. */
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

/** Milliseconds of the host for encoding a step, and for the whole of it until its loss is here. */
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
  const at = (share: number) =>
    rounded(sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN)
  return { least: at(0), median: rounded(median(figures)), middleHalf: [at(0.25), at(0.75)] }
}

const rounded = (value: number) => Number(value.toPrecision(5))

const variants = {
  without: await variant('without', false),
  off: await variant('off', true),
  /** The same as `off` once more: what differs between these two is noise. */
  offAgain: await variant('off-again', true),
}
type Name = keyof typeof variants
const names = Object.keys(variants) as Name[]
const { engine, step } = variants.off
if (!engine.info.features.includes('timestamp-query'))
  throw new UsageError('this adapter has no timestamps: there is nothing to add up')

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
  // Each begins as often as the others.
  for (let i = 0; i < names.length; i++) {
    const name = names[(round + i) % names.length] as Name
    times[name].push(await timed(variants[name]))
  }
  if (round % 5) continue
  passes.push(await engine.gpu.time(() => step(batch).dispose()))
  const recorder = engine.record()
  step(batch).dispose()
  last = await recorder.finish()
  sums.push(last.milliseconds ?? Number.NaN)
  const end = last.dispatches.at(-1)
  spans.push((end?.begin ?? Number.NaN) + (end?.milliseconds ?? Number.NaN))
}

const of = (what: 'encoding' | 'whole', name: Name) => spread(times[name].map((one) => one[what]))
/** One's times over another's: of the least, and of the medians. */
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
     * Of the medians: the two are timed seconds apart, and the least of one need not have met the
     * other's machine.
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
  `${results.adapter}, a training step of alexnet-64, ${results.dispatches} dispatches, the least of ${rounds} rounds`,
)
for (const what of ['encoding', 'whole'] as const) {
  const least = of(what, 'off').least.toFixed(2)
  console.log(
    `  ${what === 'whole' ? 'whole step of one image' : 'encoding it'}, recording off: ${least} ms`,
  )
  console.log(`    over that without recording code  ${ratio(offOverWithout[what])}`)
  console.log(`    over itself, once more            ${ratio(noise[what])}`)
}
console.log(
  `  sum of ${batch} images' recorded dispatches over their step's GPU time, of medians  ${recorded.sumOverStep.toFixed(3)}`,
)
console.log(`written: ${file}`)
for (const name of names) variants[name].engine.dispose()
