import { expect, test } from 'vitest'
import { AutogradError } from '../../src/base/errors.ts'
import { recordStep } from '../../src/inspect/step.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { testEngine } from '../support/engine.ts'

test('a step that fails ends its recording, and leaves no memory behind', async () => {
  const engine = await testEngine()
  const model = await alexnet(engine, {
    variant: 'alexnet-64',
    channels: [6, 8, 8, 8, 8],
    hidden: 12,
    classes: 5,
    seed: 4,
  })
  const x = engine.tensor(new Float32Array(3 * 64 * 64), [1, 3, 64, 64])
  for (const parameter of model.parameters()) void parameter.tensor
  const before = engine.memory()
  for (const parameter of model.parameters()) parameter.trainable = false
  await expect(recordStep(model, x, 3, true)).rejects.toThrow(AutogradError)
  expect(engine.memory()).toMatchObject({ liveBytes: before.liveBytes, buffers: before.buffers })
  for (const parameter of model.parameters()) parameter.trainable = true
  expect((await recordStep(model, x, 3, false)).loss).toBeCloseTo(Math.log(5), 2)
  for (const one of [x, model]) one.dispose()
})
