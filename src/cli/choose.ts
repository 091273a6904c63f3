import type { ImageDataset } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import { chooseScenario } from '../train/chooseScenario.ts'
import type { TrainEvent } from '../train/events.ts'
import type { TrainSettings } from '../train/settings.ts'
import type { Choice } from '../transfer/decide.ts'
import { secondsAnImage } from '../transfer/evidence.ts'
import type { Stop } from './interrupt.ts'
import type { Output } from './output.ts'

interface Choosing {
  readonly data: ImageDataset
  readonly settings: TrainSettings
  readonly output: Output
  readonly stop: Stop
}

/** Measures which scenario suits the images. */
export async function choose(
  model: Network,
  { data, settings, output, stop }: Choosing,
): Promise<Choice> {
  output.progress('probing', 0, 1)
  const onEvent = (event: TrainEvent) => {
    // Broken images are reported only once, by the training.
    if (event.type === 'read')
      output.progress('probing', event.done, event.total, `${event.done} of ${event.total} images`)
  }
  try {
    const options = { seed: settings.seed, signal: stop.signal, onEvent }
    const choice = await chooseScenario(model, data, options)
    output.probed(secondsAnImage(choice.evidence))
    return choice
  } catch (error) {
    if (stop.signal.aborted)
      throw stop.error('stopped while the scenario was being chosen: nothing was written')
    throw error
  } finally {
    output.endProgress()
  }
}
