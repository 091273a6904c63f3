import type { ImageDataset } from '../data/dataset.ts'
import type { Variant } from '../nn/alexnet.ts'
import { Conv2d, Flatten } from '../nn/layers.ts'
import type { Module } from '../nn/module.ts'
import type { Network } from '../nn/network.ts'
import { layersOf } from '../report/text.ts'
import { sizeOf } from '../tensor/ndbuffer.ts'
import { resolveOptions } from '../train/fitOptions.ts'
import { planMemory } from '../train/memory.ts'
import type { Choice } from '../transfer/choice.ts'
import { applyScenario, type Plan } from '../transfer/scenario.ts'
import type { LayerRow, Prepared } from './contract.ts'
import { fitOptions, type Settings, scenarioOptions } from './settings.ts'

/**
 * What these settings do to a network and what training it will hold; the network is changed on the way.
 * @throws UsageError for settings that do not go together
 */
export function prepare(model: Network, data: ImageDataset, settings: Settings, choice: Choice | null): Prepared {
  const options = fitOptions(settings)
  resolveOptions(options)
  const common = { variant: model.architecture.variant as Variant, cuts: cutsOf(model.layers) }
  const scenario = scenarioOptions(settings, choice, data.classes.length)
  if (!scenario) return { ...common, plan: null, layers: [], random: '', memory: null }
  const before = rowsOf(model)
  const plan = applyScenario(model, scenario)
  const random = layersOf(model.missing.filter((name) => !plan.added.some((layer) => name.startsWith(`${layer.name}.`))))
  const cache = settings.augment === 'none' && settings.mixup === 0
  const memory = planMemory(model, { ...options, cache, pictures: data.train.length })
  return { ...common, plan, layers: joined(before, rowsOf(model, plan), plan), random, memory }
}

/** Feature layers that end what belongs together: a convolution, or the end of all, follows. */
function cutsOf(layers: readonly Module[]): Prepared['cuts'] {
  return layers.flatMap((layer, i) => {
    const next = layers[i + 1]
    const ends = layer.name.startsWith('features.') && (next instanceof Conv2d || next instanceof Flatten || next?.name === 'avgpool')
    return ends ? [{ name: layer.name, description: layer.description }] : []
  })
}

/** A network's layers; without a plan none of them counts as new. */
function rowsOf(model: Network, plan?: Plan): LayerRow[] {
  const shapes = model.shapes()
  return model.layers.map((layer, i) => {
    const parameters = layer.parameters()
    const trained = parameters.some(({ trainable }) => trainable)
    const isNew = plan?.added.some(({ name }) => name === layer.name)
    return {
      name: layer.name,
      description: layer.description,
      shape: shapes[i + 1] ?? [],
      values: parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      state: parameters.length === 0 ? 'bare' : isNew ? 'new' : trained ? 'trained' : 'frozen',
    }
  })
}

/** What stays, what is cut off behind it, and what is new. */
function joined(before: readonly LayerRow[], after: readonly LayerRow[], { removed }: Plan): LayerRow[] {
  const kept = after.filter(({ state }) => state !== 'new')
  const cut = before.filter(({ name }) => removed.includes(name)).map((row): LayerRow => ({ ...row, state: 'cut' }))
  return [...kept, ...cut, ...after.filter(({ state }) => state === 'new')]
}
