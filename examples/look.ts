// Look inside one training step: as a page, as JSON, as a trace for ui.perfetto.dev, and in a few
// printed lines.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { alexnet, applyScenario, createEngine } from 'graft-webgpu'
import { chromeTrace, firstDiverging, inspect, inspectorPage } from 'graft-webgpu/inspector'

const [folder = '.', image] = process.argv.slice(2) // without an image, a drawing is used
const engine = await createEngine()
const model = await alexnet(engine, { weights: 'alexnet-64-tinyimagenet100' })
const plan = applyScenario(model, { scenario: 'small-similar', classes: 2 })

const { inspection, recording } = await inspect(model, {
  picture: image,
  plan,
  train: true,
  label: 1,
})
await writeFile(join(folder, 'step.html'), await inspectorPage(inspection))
await writeFile(join(folder, 'step.json'), JSON.stringify(inspection))
if (recording.milliseconds !== null)
  await writeFile(join(folder, 'trace.json'), JSON.stringify(chromeTrace(recording, 'one step')))

const { dispatches, milliseconds, omissions, numbers } = inspection
console.log(
  `${dispatches.length} dispatches, ${milliseconds?.toFixed(1)} ms; ` +
    `${omissions.length} that did not run, such as ${omissions[0]}`,
)
const wrong = firstDiverging(numbers)
console.log(
  wrong
    ? `${wrong.layer} ${wrong.what} is the first to diverge`
    : `${numbers.length} tensors agree with float64`,
)
engine.dispose()
