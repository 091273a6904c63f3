/**
 * Destroys the GPU device in mid-epoch, again and again in one training, and compares its accuracy
 * with that of an undisturbed run:
 *     npx tsx test/long/losses.ts [LOSSES] [DIR]
 * DIR: a folder of images; drawn shapes unless given. Prints what the run says each time, and exits
 * with 1 unless the accuracies agree within one point.
 */

import { Random } from '../../src/base/random.ts'
import { openImageFolder } from '../../src/data/imageFolder.ts'
import { createEngine } from '../../src/index.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import type { TrainEvent } from '../../src/train/events.ts'
import { fit } from '../../src/train/fit.ts'
import { applyScenario } from '../../src/transfer/scenario.ts'
import { drawnShapes } from '../support/shapes.ts'

const losses = Number(process.argv[2] ?? 10)
const data = process.argv[3]
  ? await openImageFolder(process.argv[3])
  : await drawnShapes({ train: 32, val: 32 })
const engine = await createEngine()
const epochs = Math.max(losses, 5)

async function train(destroy: boolean) {
  const model = await alexnet(engine, { weights: 'alexnet-64-tinyimagenet100', seed: 3 })
  applyScenario(model, { scenario: 'large-similar', classes: data.classes.length })
  const random = new Random(9)
  let [done, last] = [0, 0]
  const onEvent = (event: TrainEvent) => {
    if (event.type === 'recovered') console.log(`  ${JSON.stringify(event)}`)
    // Once an epoch, at a random step in its midst.
    if (
      !destroy ||
      event.type !== 'step' ||
      done === losses ||
      event.epoch <= last ||
      event.step < 2 + random.below(event.steps - 3)
    )
      return
    done++
    last = event.epoch
    console.log(`destroyed in epoch ${event.epoch}, step ${event.step} of ${event.steps}`)
    engine.gpu.device.destroy()
  }
  const run = await fit(model, data, {
    epochs,
    batchSize: 8,
    lr: 3e-4,
    seed: 2,
    checkpointSeconds: 1,
    onEvent,
  })
  return { run, accuracy: run.epochs.at(-1)?.valAccuracy ?? 0 }
}

const whole = await train(false)
const disturbed = await train(true)
const apart = 100 * Math.abs(whole.accuracy - disturbed.accuracy)
console.log(
  `undisturbed ${(100 * whole.accuracy).toFixed(2)} %, with ${disturbed.run.recovered} lost devices ${(100 * disturbed.accuracy).toFixed(2)} %: ${apart.toFixed(2)} points apart`,
)
engine.dispose()
process.exitCode = disturbed.run.recovered === losses && apart <= 1 ? 0 : 1
