// Your own training loop: the last convolution and the new layer train, everything before them is
// frozen.
import { AdamW, alexnet, applyScenario, createEngine, crossEntropy } from 'graft-webgpu'

const engine = await createEngine()
const model = await alexnet(engine, { weights: 'alexnet-64-tinyimagenet100' })
applyScenario(model, { scenario: 'small-similar', classes: 2, replace: 'all', seed: 1 })
for (const parameter of model.parameters())
  if (parameter.name.startsWith('features.10.')) parameter.trainable = true
const optimizer = new AdamW(model.parameters(), { lr: 1e-3 })

// Two classes of eight images: bright and dark ones.
const pixels = Float32Array.from(
  { length: 8 * 3 * 64 * 64 },
  (_, i) => (i < 4 * 3 * 64 * 64 ? 1 : -1) + Math.sin(i),
)
const targets = Int32Array.of(0, 0, 0, 0, 1, 1, 1, 1)
const x = engine.tensor(pixels, [8, 3, 64, 64])
for (let step = 1; step <= 10; step++) {
  const loss = crossEntropy(model.forward(x, { training: true }), targets)
  const value = loss.data()
  loss.backward()
  optimizer.step()
  optimizer.zeroGrad()
  console.log(`step ${step}: loss ${(await value)[0]?.toFixed(4)}`)
  loss.dispose()
}
engine.dispose()
