// Which of the four scenarios suits a folder of images? Measure it, train that way, and say how
// well it went.
import {
  alexnet,
  applyScenario,
  chooseScenario,
  createEngine,
  evaluate,
  fit,
  openData,
} from 'graft-webgpu'

const engine = await createEngine()
const data = await openData(process.argv[2] ?? 'photos')
const model = await alexnet(engine, { weights: 'alexnet-64-tinyimagenet100' })

const choice = await chooseScenario(model, data, { seed: 1 })
const { scenario, reason, forecast, evidence } = choice
const percent = (share: number) => (100 * share).toFixed(1)
for (const { layer, interval } of evidence.depths)
  console.log(`${layer.padEnd(14)} ${percent(interval.low)} to ${percent(interval.high)} %`)
console.log(`${scenario}: ${reason}`)
if (forecast) console.log(`expected: ${percent(forecast.low)} to ${percent(forecast.high)} %`)

applyScenario(model, choice)
const run = await fit(model, data, { epochs: 10, batchSize: 32, seed: 1 })
console.log(
  'validation accuracy by epoch:',
  ...run.epochs.map(({ valAccuracy }) => valAccuracy.toFixed(2)),
)

const { perClass } = await evaluate(model, data)
for (const { name, precision, recall } of perClass)
  console.log(`${name}: precision ${precision}, recall ${recall}`)
engine.dispose()
