import { expect, test } from 'vitest'
import { alexnet } from '../../src/nn/alexnet.ts'
import { Softmax } from '../../src/nn/layers.ts'
import { occlusionMap } from '../../src/report/occlusionMap.ts'
import { predict } from '../../src/train/evaluate.ts'
import { outcomesOf } from '../../src/train/outcomes.ts'
import { testEngine } from '../support/engine.ts'
import { drawnShapes } from '../support/shapes.ts'

test('a network that ends in a softmax is said to give what it gives, and not the softmax of that', async () => {
  const data = await drawnShapes({ train: 1, val: 2, side: 80 })
  const model = await alexnet(await testEngine(), {
    variant: 'alexnet-64',
    channels: [8, 8, 12, 12, 8],
    hidden: 16,
    classes: 3,
    seed: 4,
  })
  const image = await model.engine.host.decodeImage(data.val[0]?.source ?? '')
  for (const parameter of model.parameters())
    if (parameter.name === 'classifier.6.weight')
      parameter.assign(
        model.engine,
        Float32Array.from({ length: 48 }, (_, i) => Math.sin(7 * i)),
      )
  const before = {
    outcomes: await outcomesOf(model, data),
    map: await occlusionMap(model, image, 0),
  }
  model.replaceAfter('classifier.6', [new Softmax('probabilities')])
  expect({
    outcomes: await outcomesOf(model, data),
    map: await occlusionMap(model, image, 0),
  }).toEqual(before)
  const [first] = await predict(model, [image], { topK: 1 })
  const [top] = first?.top ?? []
  expect(before.outcomes[0]?.probabilities[top?.index ?? -1]).toBeCloseTo(top?.probability ?? 0, 6)
  model.dispose()
})
