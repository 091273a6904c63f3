import { testImage } from '../../src/inspect/image.ts'
import { inspect } from '../../src/inspect/inspect.ts'
import type { Inspection } from '../../src/inspect/inspection.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { applyScenario } from '../../src/transfer/scenario.ts'
import { testEngine } from '../support/engine.ts'

/**
 * A training step of a small AlexNet, inspected: narrow, so that the page keeps every value of it.
 */
export async function inspectSmall(): Promise<Inspection> {
  const engine = await testEngine()
  const model = await alexnet(engine, {
    variant: 'alexnet-64',
    channels: [6, 8, 8, 8, 8],
    hidden: 12,
    seed: 4,
  })
  const plan = applyScenario(model, { scenario: 'large-similar', classes: 5 })
  const { inspection } = await inspect(model, {
    title: 'a small network',
    plan,
    train: true,
    label: 3,
    picture: testImage(80),
  })
  model.dispose()
  return inspection
}
