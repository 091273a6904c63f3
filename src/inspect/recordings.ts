/** The recordings that an inspection is made of. */
import { at } from '../base/at.ts'
import { describeOmission, type Recording } from '../gpu/recording.ts'
import type { Network } from '../nn/network.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { ComparedStep } from './inspection.ts'
import { measurePeak } from './peak.ts'
import { recordStep, withTimesOf } from './step.ts'

/** Every recording that the page is made of; parameters are afterwards as they were. */
export async function recordAll(
  model: Network,
  x: Tensor,
  target: number | null,
  onProgress: (done: number) => void,
) {
  const before = await model.stateDict()
  try {
    const { recording: valued, loss, logits } = await recordStep(model, x, target, true)
    onProgress(1)
    const recording = withTimesOf(valued, await quickest(model, x, target))
    onProgress(2)
    const peak = await measurePeak(model.engine)
    onProgress(3)
    const compared = target === null ? [] : await compareScenarios(model, x, target)
    return { recording, loss, logits, peak, compared }
  } finally {
    if (target !== null) model.loadStateDict(before)
  }
}

const millisecondsOf = ({ milliseconds }: Recording) => milliseconds ?? Number.POSITIVE_INFINITY

/**
 * The quickest of a few recordings of one step: what the machine did beside it made the others
 * longer.
 */
async function quickest(
  model: Network,
  x: Tensor,
  target: number | null,
  tries = 3,
): Promise<Recording> {
  const { recording: first } = await recordStep(model, x, target, false)
  let best = first
  for (let i = 1; i < tries && first.milliseconds !== null; i++) {
    const { recording } = await recordStep(model, x, target, false)
    if (millisecondsOf(recording) < millisecondsOf(best)) best = recording
  }
  return best
}

/** The same step where everything trains, and where only the last layer does. */
async function compareScenarios(
  model: Network,
  x: Tensor,
  target: number,
): Promise<ComparedStep[]> {
  const parameters = model.parameters()
  const flags = parameters.map(({ trainable }) => trainable)
  const last = model.layers.findLast((layer) => layer.parameters().length > 0)?.parameters() ?? []
  const steps: ComparedStep[] = []
  try {
    for (const [title, training] of [
      ['only the last layer trains', last],
      ['everything trains', parameters],
    ] as const) {
      for (const parameter of parameters) parameter.trainable = training.includes(parameter)
      await recordStep(model, x, target, false) // compiles, and warms up
      const recording = await quickest(model, x, target)
      steps.push({
        title,
        dispatches: recording.dispatches.map(({ layer, pass, kernel, cost, milliseconds }) => ({
          layer,
          pass,
          kernel,
          cost,
          milliseconds,
        })),
        omissions: [...new Set(recording.omissions.map(describeOmission))],
      })
    }
  } finally {
    for (const [i, parameter] of parameters.entries()) parameter.trainable = at(flags, i)
  }
  return steps
}
