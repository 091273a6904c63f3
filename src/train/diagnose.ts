import { crossEntropy } from '../autograd/functions.ts'
import { NonFiniteError } from '../gpu/errors.ts'
import type { Network } from '../nn/network.ts'
import { allFinite } from '../ops/finite.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Batch } from './batches.ts'

/**
 * Finds the first tensor, in the order of computation, that is not finite: the step that made the loss NaN or infinite is run again
 * with the parameters it had, layer by layer.
 * @param pass the training pass it was, for the same dropout
 */
export async function diagnose(model: Network, { x, targets }: Batch, from: number, pass: number, where: string): Promise<NonFiniteError> {
  const { engine } = model
  const error = (tensor: string, kind: string) =>
    new NonFiniteError(
      tensor,
      `training stopped ${where}: ${kind} ${tensor} is the first tensor that is not finite; lower the learning rate, or look at the data`,
    )
  const parameters = model.parameters()
  const sound = await allFinite(engine, [x, ...parameters.map((parameter) => parameter.tensor)])
  if (!sound[0]) return error('the input', 'among the activations,')
  const broken = parameters[sound.indexOf(false) - 1]
  if (broken) return error(broken.name, 'the parameter')
  let here = x
  try {
    for (let i = from; i < model.layers.length; i++) {
      model.passes = pass
      const next = engine.noGrad(() => model.forward(here, { training: true, from: i, to: i + 1 }))
      if (here !== x && here !== next) here.dispose()
      here = next
      const [fine] = await allFinite(engine, [here])
      if (!fine) return error(model.layers[i]?.name ?? '', 'the output of')
    }
    const loss: Tensor = engine.noGrad(() => crossEntropy(here, targets))
    loss.dispose()
    return error('the loss', 'of all of them,')
  } finally {
    if (here !== x) here.dispose()
  }
}
