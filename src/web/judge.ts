import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import { wilson } from '../base/interval.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import { classFigures, confusionOf, lossOf, topLossOf, worstOf } from '../report/statistics.ts'
import { trustFrom } from '../train/learnTrust.ts'
import { probabilitiesOf } from '../train/metrics.ts'
import type { Outcome } from '../train/outcomes.ts'
import { readingsOf } from '../train/readings.ts'
import { describeTrust, type Trust } from '../train/trust.ts'
import type { Result } from './workerApi.ts'

/** How many of the images with the largest losses are shown. */
const shownLosses = 6

type Judged = Pick<
  Result,
  'classes' | 'confusion' | 'perClass' | 'accuracy' | 'loss' | 'topLosses' | 'trust'
>

/** Evaluates a network on the images held out, and finds out when not to trust it. */
export async function judge(
  model: Network,
  data: ImageDataset,
  tell: (done: number, total: number) => void,
): Promise<{ readonly judged: Judged; readonly trust: Trust | null }> {
  const { classes, val } = data
  const heldOut = await readingsOf(model, val, { onRead: (done) => tell(done, val.length) })
  if (heldOut.length === 0)
    throw new DataError(`none of the ${val.length} val images of ${data.root} can be decoded`)
  const trust = await trustFrom(model, data, heldOut, {})
  const outcomes = heldOut.map(({ sample, logits }): Outcome => {
    const probabilities = Float32Array.from(probabilitiesOf(logits, 0, classes.length))
    return { sample, probabilities }
  })
  const confusion = confusionOf(outcomes, classes.length)
  const hits = confusion.reduce((sum, row, c) => sum + at(row, c), 0)
  const judged = {
    classes,
    confusion,
    perClass: classFigures(classes, confusion),
    accuracy: wilson(hits, outcomes.length),
    loss: outcomes.reduce((sum, outcome) => sum + lossOf(outcome), 0) / outcomes.length,
    topLosses: worstOf(outcomes, shownLosses).map((outcome) => topLossOf(outcome, classes)),
    trust: describeTrust(trust),
  }
  return { judged, trust }
}
