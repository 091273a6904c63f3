import { crossEntropy } from '../autograd/functions.ts'
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
      const [data = new Float32Array(0)] = await read()
      return { recording, logits: data, loss: null }
    }
    const optimizer = noted(new SGD(model.parameters(), stepRate))
    model.passes = 0 // the same dropout whenever it is recorded
    const logits = noted(model.logits(x, { training: true }))
    const loss = noted(crossEntropy(logits, new Int32Array(x.shape[0] ?? 1).fill(target)))
    const read = engine.readLater([logits, loss])
    loss.backward()
    optimizer.step()
    optimizer.zeroGrad()
    const recording = await recorder.finish()
    const [data = new Float32Array(0), [value = Number.NaN] = []] = await read()
    return { recording, logits: data, loss: value }
  } finally {
    // A step that failed left its recording under way, and that is not what went wrong.
    if (engine.gpu.recorder === recorder) await recorder.finish().catch(() => {})
    for (const one of made) one.dispose()
  }
}

/** The values of one recording with the times of another of the same step. */
export function withTimesOf(values: Recording, times: Recording): Recording {
  if (values.dispatches.length !== times.dispatches.length)
    throw new Error('these are recordings of different steps')
  const dispatches = values.dispatches.map((one, i) => {
    const { begin = null, milliseconds = null } = times.dispatches[i] ?? {}
    return { ...one, begin, milliseconds }
  })
  return { ...values, dispatches, milliseconds: times.milliseconds }
}
