/**
 * What recording costs, off and on, and whether the recorded times add up to the step's: alexnet-64's training step, alternately without a
 * recording, timed as one pass, and with one. Run it with exact timestamps:
 *
 *     GRAFT_DAWN_FLAGS=disable-dawn-features=timestamp_quantization npx tsx bench/recording.ts [--batch 16] [--rounds 9]
 */
import { parseArgs } from 'node:util'
import { alexnet, createEngine, crossEntropy, type Recording, SGD } from '../src/index.ts'
import { median } from './statistics.ts'

const { values } = parseArgs({ options: { batch: { type: 'string', default: '16' }, rounds: { type: 'string', default: '15' } } })
const batch = Number(values.batch)
const engine = await createEngine({ adapter: (process.env.GRAFT_ADAPTER ?? 'auto') as 'auto' })
const model = await alexnet(engine, { variant: 'alexnet-64', seed: 1 })
const optimizer = new SGD(model.parameters(), { lr: 1e-3, momentum: 0.9 })
const x = engine.tensor(new Float32Array(batch * 3 * 64 * 64).fill(0.5), [batch, 3, 64, 64])
const targets = new Int32Array(batch)

function step(): void {
  const loss = crossEntropy(model.forward(x, { training: true }), targets)
  loss.backward()
  optimizer.step()
  optimizer.zeroGrad()
  loss.dispose()
}

step()
await engine.gpu.settle()
const [whole, sums, spans, off, on]: [number[], number[], number[], number[], number[]] = [[], [], [], [], []]
let last: Recording | null = null
for (let round = 0; round < Number(values.rounds); round++) {
  whole.push(await engine.gpu.time(step))
  let begun = performance.now()
  step()
  off.push(performance.now() - begun)
  engine.gpu.submit()
  await engine.gpu.settle()
  await x.data()
  const recorder = engine.record()
  begun = performance.now()
  step()
  on.push(performance.now() - begun)
  last = await recorder.finish()
  sums.push(last.milliseconds ?? Number.NaN)
  const end = last.dispatches.at(-1)
  spans.push((end?.begin ?? Number.NaN) + (end?.milliseconds ?? Number.NaN))
}
console.log(`${engine.info.adapter}, alexnet-64, batch ${batch}, ${last?.dispatches.length} dispatches, medians of ${values.rounds} rounds`)
console.log(`  the step as one pass, by its two timestamps   ${median(whole).toFixed(2)} ms`)
// A shared machine drifts: each round's own ratio says more than the ratio of the medians.
const ratio = 100 * median(sums.map((sum, i) => sum / (whole[i] ?? Number.NaN)))
console.log(`  the sum of the recorded dispatches            ${median(sums).toFixed(2)} ms, ${ratio.toFixed(1)} % of its round's step`)
console.log(`  from the first to the last of them            ${median(spans).toFixed(2)} ms`)
console.log(`  encoding a step, host time: off               ${median(off).toFixed(2)} ms`)
console.log(`  encoding a step, host time: recorded          ${median(on).toFixed(2)} ms`)
engine.dispose()
