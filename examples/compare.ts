// All four scenarios on the same images, each for a few seconds.
import { alexnet, compareScenarios, createEngine, openData } from 'graft-webgpu'

const [folder = 'photos', seconds = '10'] = process.argv.slice(2)
const engine = await createEngine()
const data = await openData(folder)

const { scenarios, choice } = await compareScenarios(
  () => alexnet(engine, { weights: 'alexnet-64-tinyimagenet100', seed: 1 }),
  data,
  {
    seconds: Number(seconds),
    seed: 1,
    onPlan: (plan) => console.log(`training ${plan.scenario} …`),
  },
)
console.table(
  [...scenarios].map(([scenario, { valAccuracy, epochs, seconds }]) => ({
    scenario,
    valAccuracy,
    epochs: epochs.toFixed(1),
    seconds,
  })),
  ['scenario', 'valAccuracy', 'epochs', 'seconds'],
)
console.log(`auto would pick ${choice.scenario}: ${choice.reason}`)
engine.dispose()
