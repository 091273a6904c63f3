import { philox4x32 } from '../base/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { LayerContext, Module } from './module.ts'

/** What a chain tells the module at a place; whether it applies the next one follows here. */
export type ContextAt = (place: number) => Omit<LayerContext, 'relu'>

/**
 * Runs modules one after the other. A ReLU is applied by the module before it where that can.
 * Results on the way are freed as soon as the tape alone needs them.
 * @param before called before each module
 * @returns the last one's result, or x itself where there is none
 */
export function runChain(
  modules: readonly Module[],
  x: Tensor,
  contextAt: ContextAt,
  before?: (module: Module) => void,
): Tensor {
  const { gpu } = x.engine
  const outer = gpu.layer
  let here = x
  let applied = false // whether the module before has applied the next one, too
  try {
    for (const [i, module] of modules.entries()) {
      before?.(module)
      gpu.layer = module.name
      if (applied) {
        module.noteApplied(here)
        applied = false
        continue
      }
      const following = modules[i + 1]
      applied = following !== undefined && module.canApply(following)
      const context = contextAt(i)
      const training = context.training && !module.evaluating
      const next = module.forward(here, { ...context, training, relu: applied })
      // The tape keeps what backward needs of `here`; the rest of its memory is free for the next
      // module.
      if (here !== x && next !== here) here.free()
      here = next
    }
  } catch (error) {
    if (here !== x) here.dispose()
    throw error
  } finally {
    gpu.layer = outer
  }
  return here
}

/** The context of a block's module: the block's own, with a seed of its own. */
export function contextOf({ training, trial, seed }: LayerContext, place: number) {
  return { training, trial, seed: seedOf(seed, place, 0) }
}

/** The seed of one module among others, which differs from pass to pass. */
export function seedOf(seed: number, place: number, pass: number): number {
  const [low, high] = philox4x32([pass, place, 0, 1], [seed >>> 0, Math.floor(seed / 2 ** 32)])
  return low + (high >>> 11) * 2 ** 32
}
