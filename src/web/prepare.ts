import { layersOf } from '../base/format.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { Variant } from '../nn/alexnet.ts'
import { Conv2d, Flatten } from '../nn/layers.ts'
import type { Module } from '../nn/module.ts'
import { type Network, randomAmong } from '../nn/network.ts'
import { sizeOf } from '../tensor/ndbuffer.ts'
import { planMemory } from '../train/memory.ts'
import { resolveOptions } from '../train/options/resolve.ts'
import type { Choice } from '../transfer/decide.ts'
import { applyScenario, type Plan } from '../transfer/scenario.ts'
import { fitOptions, type Settings, scenarioOptions } from './settings.ts'
import type { LayerRow, Prepared } from './workerApi.ts'

/**
 * Applies settings to a network, and plans the memory of its training.
 * @throws UsageError for settings that contradict each other
 */
export function prepare(
  model: Network,
  data: ImageDataset,
  settings: Settings,
  choice: Choice | null,
): Prepared {
  const options = fitOptions(settings)
  resolveOptions(options)
  const common = {
    variant: model.architecture.variant as Variant,
    cuts: cutsOf(model.layers),
    remarks: model.remarks,
  }
  const scenario = scenarioOptions(settings, choice, data.classes.length)
  if (!scenario) return { ...common, plan: null, layers: [], random: '', memory: null }
  const before = model.layers.map((layer) => ({
    name: layer.name,
    description: layer.description,
    values: valuesOf(layer),
  }))
  const plan = applyScenario(model, scenario)
  const random = layersOf(randomAmong(model.missing))
  const cache = settings.augment === null && settings.mixup === null
  const { batchSize, optimizer, lr, weightDecay } = options
  const images = data.train.length
  const memory = planMemory(model, {
    batchSize,
    pictures: images,
    cache,
    optimizer,
    lr,
    weightDecay,
  })
  const rows = rowsOf(model, plan)
  const cut = cutRow(before.filter(({ name }) => plan.removed.includes(name)))
  const layers = [
    ...rows.filter(({ state }) => state !== 'new'),
    ...cut,
    ...rows.filter(({ state }) => state === 'new'),
  ]
  return { ...common, plan, layers, random, memory }
}

/** The last feature layer of each block: a convolution follows, or the features end. */
function cutsOf(layers: readonly Module[]): Prepared['cuts'] {
  return layers.flatMap((layer, i) => {
    const next = layers[i + 1]
    const ends =
      layer.name.startsWith('features.') &&
      (next instanceof Conv2d || next instanceof Flatten || next?.name === 'avgpool')
    return ends ? [{ name: layer.name, description: layer.description }] : []
  })
}

/** A network's layers that have values, each with the layers after it that have none. */
function rowsOf(model: Network, plan: Plan): LayerRow[] {
  const rows: LayerRow[] = []
  for (const layer of model.layers) {
    const parameters = layer.parameters()
    const last = rows.at(-1)
    if (parameters.length === 0) {
      if (last && !(layer instanceof Flatten))
        rows[rows.length - 1] = {
          ...last,
          description: `${last.description}, ${layer.description}`,
        }
      continue
    }
    const isNew = plan.added.some(({ name }) => name === layer.name)
    const trained = parameters.some(({ trainable }) => trainable)
    const { name, description } = layer
    rows.push({
      name,
      description,
      values: valuesOf(layer),
      state: isNew ? 'new' : trained ? 'trained' : 'frozen',
    })
  }
  return rows
}

/** All that was cut off, as one row. */
function cutRow(removed: readonly Pick<LayerRow, 'name' | 'description' | 'values'>[]): LayerRow[] {
  const [first, last] = [removed[0], removed.at(-1)]
  if (!first || !last) return []
  const values = removed.reduce((sum, layer) => sum + layer.values, 0)
  if (first === last) return [{ ...first, state: 'cut' }]
  return [
    {
      name: `${first.name} to ${last.name}`,
      description: `${removed.length} layers`,
      values,
      state: 'cut',
    },
  ]
}

function valuesOf(layer: Module): number {
  return layer.parameters().reduce((sum, { shape }) => sum + sizeOf(shape), 0)
}
