import { crossEntropy } from '../autograd/functions.ts'
import { at } from '../base/at.ts'
import type { Recording } from '../gpu/recording.ts'
import type { Network } from '../nn/network.ts'
import { SGD } from '../optim/sgd.ts'
import type { Tensor } from '../tensor/tensor.ts'

/**
 * The optimizer of an inspected training step; what the page says of a step it says of this one.
 */
export const stepRate = { lr: 1e-3, momentum: 0.9 } as const

export interface RecordedStep {
  readonly recording: Recording
  readonly logits: Float32Array
  /** Null for a forward pass alone. */
  readonly loss: number | null
}

/**
 * Records one step of a network: forward alone, or forward, backward and a step of SGD with
 * momentum.
 * @param x [N, 3, size, size], preprocessed
 * @param target the class of every image of a training step, or null for a forward pass alone
 * @param values whether to keep the tensors' values; times are truer without
 */
export async function recordStep(
  model: Network,
  x: Tensor,
  target: number | null,
  values: boolean,
): Promise<RecordedStep> {
  const { engine } = model
  const recorder = engine.record({ values })
  const made: { dispose(): void }[] = []
  const noted = <T extends { dispose(): void }>(one: T): T => {
    made.push(one)
    return one
  }
  try {
    if (target === null) {
      const logits = noted(engine.noGrad(() => model.logits(x)))
      const read = engine.readLater([logits])
      const recording = await recorder.finish()
      return { recording, logits: at(await read(), 0), loss: null }
    }
    const optimizer = noted(new SGD(model.parameters(), stepRate))
    model.passes = 0 // the same dropout whenever it is recorded
    const logits = noted(model.logits(x, { training: true, trial: true }))
    const targets = new Int32Array(at(x.shape, 0)).fill(target)
    const loss = noted(crossEntropy(logits, targets))
    const read = engine.readLater([logits, loss])
    loss.backward()
    optimizer.step()
    optimizer.zeroGrad()
    const recording = withTargets(await recorder.finish(), targets)
    const values = await read()
    return { recording, logits: at(values, 0), loss: at(at(values, 1), 0) }
  } finally {
    // A step that failed left its recording under way, and that is not what went wrong.
    if (engine.gpu.recorder === recorder) await recorder.finish().catch(() => {})
    for (const one of made) one.dispose()
  }
}

/** The recording with the loss's targets as they were given, instead of the buffer they are in. */
function withTargets(recording: Recording, targets: Int32Array): Recording {
  const calls = recording.calls.map((call) => {
    const attrs = call.attrs as object
    return 'targets' in attrs ? { ...call, attrs: { ...attrs, targets } } : call
  })
  return { ...recording, calls }
}

/** The values of one recording with the times of another of the same step. */
export function withTimesOf(values: Recording, times: Recording): Recording {
  if (values.dispatches.length !== times.dispatches.length)
    throw new Error('these are recordings of different steps')
  const dispatches = values.dispatches.map((one, i) => {
    const { begin, milliseconds } = at(times.dispatches, i)
    return { ...one, begin, milliseconds }
  })
  return { ...values, dispatches, milliseconds: times.milliseconds }
}
