/**
 * Where a network can be cut: after each of its layers and blocks, the places that every path
 * passes one tensor wide.
 */
import { UsageError } from '../base/errors.ts'
import type { Module } from '../nn/module.ts'

/** Names of a network's last layer, which a scenario replaces: AlexNet's, and ResNet's. */
const heads = ['classifier.6', 'fc']

/** @throws UsageError for a network whose last layer has another name */
export function headOf(layers: readonly Module[]): string {
  const head = heads.find((name) => layers.some((layer) => layer.name === name))
  if (head === undefined)
    throw new UsageError(`the network has no layer ${heads.join(' or ')} to replace`)
  return head
}

/** Where small-different cuts if nobody says: before what AlexNet and ResNet specialize in. */
const usualCuts = ['features.7', 'layer3']

/** The usual cut of small-different. @throws UsageError for a network without one */
export function usualCut(layers: readonly Module[]): string {
  const names = usualCuts.filter((name) => layers.some((layer) => isPart(layer.name, name)))
  return cutNamed(layers, names[0] ?? 'features.7')
}

/** Whether a layer is the one of this name, or one of its parts: 'layer3.1' of 'layer3'. */
const isPart = (layer: string, name: string) => layer === name || layer.startsWith(`${name}.`)

/**
 * The layer after which a cut of this name is: the layer itself, or the last one of a stage.
 * @throws UsageError where there is none, or where it lies inside a block
 * @example cutNamed(model.layers, 'layer3') // 'layer3.1' in a ResNet-18
 */
export function cutNamed(layers: readonly Module[], name: string): string {
  const own = layers.find((layer) => layer.name === name)
  const last = own ?? layers.findLast((layer) => isPart(layer.name, name))
  if (last) return last.name
  const block = layers.findIndex((layer) => name.startsWith(`${layer.name}.`))
  const [before, around] = [layers[block - 1], layers[block]]
  if (around && around.children().length > 0)
    throw new UsageError(
      `${name} lies inside the block ${around.name}, beside another path: cut ` +
        `${before ? `before it, at ${before.name}, or ` : ''}after it, at ${around.name}`,
    )
  throw new UsageError(
    `there is no layer ${name}; the layers are ${layers.map((layer) => layer.name).join(', ')}`,
  )
}
