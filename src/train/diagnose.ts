import { at } from '../base/at.ts'
import { NonFiniteError } from '../base/errors.ts'
import type { Network } from '../nn/network.ts'
import { allFinite } from '../ops/finite.ts'
import type { Batch } from './batches.ts'

/** The batch whose loss was not finite, and how it was computed. */
interface Incident {
  readonly batch: Pick<Batch, 'x' | 'targets'>
  /** The layer that the batch entered at. */
  readonly from: number
  /** The training pass it was, for the same dropout; null outside training. */
  readonly pass: number | null
  /** What was stopped, for the message: 'training stopped in epoch 3, step 12'. */
  readonly what: string
}

/**
 * Finds the first tensor, in the order of computation, that is not finite: runs the batch whose
 * loss was NaN or infinite again, layer by layer, with the same parameters.
 */
export async function diagnose(
  model: Network,
  { batch: { x, targets }, from, pass, what }: Incident,
): Promise<NonFiniteError> {
  const { engine } = model
  const error = (tensor: string, kind: string) =>
    new NonFiniteError(
      tensor,
      `${what}: ${kind} ${tensor} is the first tensor that is not finite; ` +
        'lower the learning rate, or check the data',
    )
  const parameters = model.parameters()
  const finite = await allFinite(engine, [x, ...parameters.map((parameter) => parameter.tensor)])
  if (!finite[0]) return error('the input', 'among the activations,')
  const broken = parameters[finite.indexOf(false) - 1]
  if (broken) return error(broken.name, 'the parameter')
  let here = x
  try {
    if (pass !== null) model.passes = pass
    for (let i = from; i < model.layers.length; i++) {
      const next = engine.noGrad(() =>
        model.forward(here, { training: pass !== null, trial: true, from: i, to: i + 1 }),
      )
      if (here !== x && here !== next) here.dispose()
      here = next
      const [finiteHere] = await allFinite(engine, [here])
      if (!finiteHere) return error(at(model.layers, i).name, 'the output of')
    }
    return error(`the loss of ${targets.length} images`, 'of all of them,')
  } finally {
    if (here !== x) here.dispose()
  }
}
