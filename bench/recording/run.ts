/**
 * What recording costs a training step of alexnet-64: off, beside the same sources compiled without any recording code, and on; and whether
 * the recorded times add up to the step's. Variants take turns in one process on one adapter. Writes bench/results/recording-<adapter>.json.
 *
 *     npx tsx bench/recording/run.ts [--batch 16] [--rounds 41] [--adapter swiftshader]
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type AdapterChoice, type Engine, type Recording, type Tensor, UsageError } from '../../src/index.ts'
import { writeFileAtomic } from '../../src/weights/files.ts'
import { median } from '../statistics.ts'
import { buildGraft } from './build.ts'

// Exact timestamps: Dawn rounds them to 0.1 ms otherwise.
process.env.GRAFT_DAWN_FLAGS ??= 'disable-dawn-features=timestamp_quantization'

const { values } = parseArgs({
  options: {
    batch: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '41' },
    adapter: { type: 'string', default: 'auto' },
  },
})
const [batch, rounds] = [Number(values.batch), Number(values.rounds)]

interface Variant {
  readonly engine: Engine
  readonly step: () => Tensor
}

/** A network with its own engine; `step` encodes one training step and gives its loss. */
async function variant(name: string, recording: boolean): Promise<Variant> {
  const { alexnet, createEngine, crossEntropy, SGD } = await buildGraft(name, recording)
  const engine = await createEngine({ adapter: values.adapter as AdapterChoice })
  const model = await alexnet(engine, { variant: 'alexnet-64', seed: 1 })
  const optimizer = new SGD(model.parameters(), { lr: 1e-3, momentum: 0.9 })
  const x = engine.tensor(new Float32Array(batch * 3 * 64 * 64).fill(0.5), [batch, 3, 64, 64])
  const step = () => {
    const loss = crossEntropy(model.forward(x, { training: true }), new Int32Array(batch))
    loss.backward()
    optimizer.step()
    optimizer.zeroGrad()
    return loss
  }
  return { engine, step }
}

/** Milliseconds of the host for encoding a step, and for the whole of it until its loss is here. */
async function timed({ engine, step }: Variant): Promise<{ readonly encoding: number; readonly whole: number }> {
  const begun = performance.now()
  const loss = step()
  const encoded = performance.now()
  await loss.data()
  const ended = performance.now()
  loss.dispose()
  await engine.gpu.settle()
  return { encoding: encoded - begun, whole: ended - begun }
}

/** The median of figures that were measured round by round, and the middle half of them. */
function spread(figures: readonly number[]): { readonly median: number; readonly middleHalf: readonly [number, number] } {
  const sorted = [...figures].sort((a, b) => a - b)
  const at = (share: number) => rounded(sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN)
  return { median: rounded(median(figures)), middleHalf: [at(0.25), at(0.75)] }
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
if (!engine.info.features.includes('timestamp-query')) throw new UsageError('this adapter has no timestamps: there is nothing to add up')

for (const name of names) for (let i = 0; i < 3; i++) await timed(variants[name])
const times: Record<Name, { encoding: number; whole: number }[]> = { without: [], off: [], offAgain: [] }
const [passes, sums, spans]: [number[], number[], number[]] = [[], [], []]
let last: Recording | null = null
for (let round = 0; round < rounds; round++) {
  // Each begins as often as the others.
  for (let i = 0; i < names.length; i++) {
    const name = names[(round + i) % names.length] as Name
    times[name].push(await timed(variants[name]))
  }
  if (round % 3) continue
  passes.push(await engine.gpu.time(() => step().dispose()))
  const recorder = engine.record()
  step().dispose()
  last = await recorder.finish()
  sums.push(last.milliseconds ?? Number.NaN)
  const end = last.dispatches.at(-1)
  spans.push((end?.begin ?? Number.NaN) + (end?.milliseconds ?? Number.NaN))
}

/** A variant's time over another's of the same round. */
const over = (what: 'encoding' | 'whole', a: Name, b: Name) =>
  spread(times[a].map((one, i) => one[what] / (times[b][i]?.[what] ?? Number.NaN)))
const results = {
  adapter: engine.info.adapter,
  kind: engine.info.kind,
  date: new Date().toISOString(),
  ...{ network: 'alexnet-64', batch, rounds, dispatches: last?.dispatches.length },
  milliseconds: Object.fromEntries(
    names.map((name) => [
      name,
      { encoding: spread(times[name].map(({ encoding }) => encoding)), whole: spread(times[name].map(({ whole }) => whole)) },
    ]),
  ),
  offOverWithout: { encoding: over('encoding', 'off', 'without'), whole: over('whole', 'off', 'without') },
  noise: { encoding: over('encoding', 'offAgain', 'off'), whole: over('whole', 'offAgain', 'off') },
  recorded: {
    stepAsOnePass: spread(passes),
    sumOfDispatches: spread(sums),
    firstToLast: spread(spans),
    sumOverStep: spread(sums.map((sum, i) => sum / (passes[i] ?? Number.NaN))),
  },
}
const file = fileURLToPath(new URL(`../results/recording-${engine.info.kind}.json`, import.meta.url))
await writeFileAtomic(file, `${JSON.stringify(results, null, 2)}\n`)
const shown = ({ median: middle, middleHalf: [low, high] }: ReturnType<typeof spread>) =>
  `${middle.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`
console.log(`${results.adapter}, alexnet-64, batch ${batch}, ${results.dispatches} dispatches, ${rounds} rounds: median (middle half)`)
for (const what of ['encoding', 'whole'] as const) {
  console.log(`  ${what === 'whole' ? 'whole step' : 'encoding'}, ms       off ${shown(spread(times.off.map((one) => one[what])))}`)
  console.log(`    off over no recording code  ${shown(results.offOverWithout[what])}`)
  console.log(`    off over off                ${shown(results.noise[what])}`)
}
console.log(`  recorded dispatches' sum over the step's GPU time  ${shown(results.recorded.sumOverStep)}`)
console.log(`written: ${file}`)
for (const name of names) variants[name].engine.dispose()
