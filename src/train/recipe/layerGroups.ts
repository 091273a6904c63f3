import { UsageError } from '../../base/errors.ts'
import { list, type Network } from '../../nn/network.ts'
import type { Parameter } from '../../nn/parameter.ts'
import { matching } from '../../transfer/patterns.ts'

/**
 * The parameters that train, in groups from the input to the head. The parameters of a group are
 * unfrozen together and share a learning rate.
 * @param patterns one text for each group: patterns separated by commas; by default the head (the
 * last layer) is a group, and the layers before it are split into an early and a late half
 * @returns groups in order, none empty
 * @throws UsageError if a parameter that trains belongs to no group, or a pattern matches nothing
 * @example layerGroups(model, ['features.0,features.3', 'features.*', 'classifier.*'])
 */
export function layerGroups(model: Network, patterns?: readonly string[]): Parameter[][] {
  const groups = patterns ? named(model, patterns) : halves(model)
  return groups.filter((group) => group.length > 0)
}

function halves(model: Network): Parameter[][] {
  const layers = model.layers
    .map((layer) => layer.parameters().filter(({ trainable }) => trainable))
    .filter((layer) => layer.length > 0)
  const [trunk, head] = [layers.slice(0, -1), layers.slice(-1)]
  const middle = Math.ceil(trunk.length / 2)
  return [trunk.slice(0, middle), trunk.slice(middle), head].map((group) => group.flat())
}

/** A parameter belongs to the first group with a pattern that matches it. */
function named(model: Network, patterns: readonly string[]): Parameter[][] {
  const left = new Set(model.parameters().filter(({ trainable }) => trainable))
  const groups = patterns.map((text) => {
    const group = new Set(
      text.split(',').flatMap((pattern) => matching(model.parameters(), pattern.trim())),
    )
    const taken = [...left].filter((parameter) => group.has(parameter))
    for (const parameter of taken) left.delete(parameter)
    return taken
  })
  if (left.size > 0)
    throw new UsageError(
      `no layer group holds ${list([...left].map(({ name }) => name))}: name it, or freeze it`,
    )
  return groups
}

/**
 * A learning rate for each group: `lr` for the last one, `lr / spread` for the first, and equal
 * ratios between them, as `slice(lr / spread, lr)` in fastai (Howard & Ruder 2018,
 * arXiv:1801.06146, 3.2).
 */
export function spreadRates(lr: number, spread: number, groups: number): number[] {
  return Array.from({ length: groups }, (_, i) =>
    groups > 1 ? lr * spread ** ((i - groups + 1) / (groups - 1)) : lr,
  )
}
