// Train, write the weights to a file, load them into a new network, and classify an image.
import { writeFile } from 'node:fs/promises'
import {
  alexnet,
  applyScenario,
  createEngine,
  fit,
  loadWeights,
  openData,
  predict,
  writeSafetensors,
} from 'graft-webgpu'

const [folder = 'photos', file = 'grafted.safetensors', image = 'cat.jpg'] = process.argv.slice(2)
const engine = await createEngine()
const data = await openData(folder)
const graft = async () => {
  const model = await alexnet(engine, { weights: 'alexnet-64-tinyimagenet100' })
  applyScenario(model, { scenario: 'small-similar', classes: data.classes.length })
  return model
}
const trained = await graft()
await fit(trained, data, {
  epochs: 5,
  augment: true,
  onEvent: (event) => event.type === 'epoch' && console.log(event),
})
await writeFile(
  file,
  writeSafetensors(await trained.stateDict(), { classes: JSON.stringify(data.classes) }),
)

const again = await graft()
again.loadStateDict((await loadWeights(file)).tensors)
again.classNames = data.classes
for (const { name, top } of await predict(again, [image], { topK: 2 })) console.log(name, top)
engine.dispose()
