import { at } from '../base/at.ts'
import type { Network } from '../nn/network.ts'
import type { Parameter } from '../nn/parameter.ts'
import { sizeOf } from '../tensor/ndbuffer.ts'
import type { AgendaStage } from './events.ts'

/**
 * The multiplications that one image takes forward: in the layers before the first one that trains,
 * and in that one and all after it. Only weights count; what else layers do is little beside them.
 */
export function workBeforeAndFrom(
  model: Network,
  trained: readonly Parameter[],
): Pick<AgendaStage, 'frozenWork' | 'work'> {
  const shapes = model.shapes()
  let [frozenWork, work] = [0, 0]
  for (const [i, layer] of model.layers.entries()) {
    const parameters = layer.parameters()
    // A weight is used once at each place of the output.
    const places = sizeOf(at(shapes, i + 1).slice(1))
    const here = parameters
      .filter(({ shape }) => shape.length > 1)
      .reduce((sum, { shape }) => sum + sizeOf(shape) * places, 0)
    if (work > 0 || parameters.some((parameter) => trained.includes(parameter))) work += here
    else frozenWork += here
  }
  return { frozenWork, work }
}
