import { UsageError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { Random, requireSeed } from '../base/random.ts'
import type { Init } from '../nn/init.ts'
import { initialize, requireInit } from '../nn/init.ts'
import { Flatten, Linear } from '../nn/layers.ts'
import type { Module } from '../nn/module.ts'
import { list, type Network } from '../nn/network.ts'
import { type Shape, sizeOf } from '../tensor/ndbuffer.ts'
import { matching, setTrainable, type TrainablePatterns } from './patterns.ts'

/** The names of the four scenarios. */
export const scenarios = [
  'small-similar',
  'small-different',
  'large-similar',
  'large-different',
] as const
/**
 * The four classic situations: few or many images, like or unlike what the network was trained on.
 */
export type Scenario = (typeof scenarios)[number]

export interface ScenarioOptions extends TrainablePatterns {
  readonly scenario: Scenario
  /** Outputs of the new last layer. */
  readonly classes: number
  /**
   * 'last': only the last FC is new. 'all': the whole FC end goes, one new FC sits on the flattened
   * features. Default 'last', but 'all' in small-different and with `cut`.
   */
  readonly replace?: 'last' | 'all'
  /**
   * The last layer that is kept. Default features.7 in small-different; elsewhere nothing is cut
   * off.
   */
  readonly cut?: string
  /**
   * How new layers, and in large-different the whole network, get their first values; 'pretrained'
   * keeps a large-different trunk as it was trained.
   */
  readonly init?: Init | 'pretrained'
  /** Seeds new values. Default: the network's seed. */
  readonly seed?: number
}

/** What `applyScenario` did, and why. */
export interface Plan {
  readonly scenario: Scenario
  readonly replace: 'last' | 'all'
  /** The last layer kept where the trunk was cut, else null. */
  readonly cut: string | null
  /** Layers that went. */
  readonly removed: readonly string[]
  /** Layers that came, and what they are. */
  readonly added: readonly { readonly name: string; readonly description: string }[]
  /** Parameters whose values never change. */
  readonly frozen: readonly string[]
  /** Parameters that train. */
  readonly trained: readonly string[]
  readonly trainedValues: number
  readonly frozenValues: number
  /** What the kept layers start from. */
  readonly startsFrom: 'pretrained' | 'random'
  /** The numbers that make the plan repeatable. */
  readonly classes: number
  readonly seed: number
  /**
   * One sentence each: the scenario's reason first, then whatever was decided differently from what
   * was asked.
   */
  readonly reasons: readonly string[]
}

const why: Readonly<Record<Scenario, string>> = {
  'small-similar':
    'Few images, like those of the pretraining: its features fit as they are, and a new last layer is all that so few can train without overfitting.',
  'small-different':
    'Few images, unlike those of the pretraining: late features are too special, early ones are general, so the new layer sits on earlier ones.',
  'large-similar':
    'Many images, like those of the pretraining: everything may train, and the pretrained weights are the best place to start.',
  'large-different':
    'Many images, unlike those of the pretraining: there is enough to train everything, and little to inherit.',
}

/**
 * Makes a network ready for a new task: cuts, puts a new FC layer (always `classifier.6`, Xavier
 * uniform with zero bias unless `init` says otherwise) at the end, and sets every parameter's
 * `trainable` flag: the scenario's, then `freeze` and `train` on top.
 * @throws UsageError for options that do not exist, or contradict each other; the network is as it
 * was then
 * @example const plan = applyScenario(model, { scenario: 'small-similar', classes: 6, replace: 'all' })
 */
export function applyScenario(model: Network, options: ScenarioOptions): Plan {
  checkScenario(options)
  const { scenario, classes, init } = options
  const seed = options.seed ?? model.seed
  const small = scenario.startsWith('small')
  const reasons = [why[scenario]]
  const hidden = model.missing.filter(
    (name) => name.startsWith('classifier.') && !name.startsWith('classifier.6.'),
  )
  const cut = options.cut ?? (scenario === 'small-different' ? 'features.7' : null)
  let replace = options.replace ?? (cut ? 'all' : 'last')
  if (replace === 'last' && small && hidden.length > 0) {
    replace = 'all'
    reasons.push(
      `The weights hold no ${list(hidden)}: random hidden layers are not kept frozen, so the whole FC end is replaced.`,
    )
  }
  const before = model.layers
  const keep =
    cut ??
    (replace === 'all'
      ? lastFeatureLayer(before)
      : before[indexOf(before, 'classifier.6') - 1]?.name)
  if (keep === undefined) throw new UsageError('the network has no layer classifier.6 to replace')
  const at = indexOf(before, keep)
  if (cut !== null && at >= indexOf(before, 'classifier.6'))
    throw new UsageError(`cut names the last layer kept, and ${cut} is the one that is replaced`)
  const shape: Shape = model.shapes()[at + 1] ?? []
  const added: Module[] = []
  if (shape.length > 1) added.push(new Flatten('flatten'))
  const headInit = init === undefined || init === 'pretrained' ? 'xavier-uniform' : init
  added.push(
    new Linear(model.engine, 'classifier.6', sizeOf(shape), classes, {
      weight: headInit,
      seed,
      stream: headStream,
    }),
  )
  const parametersThen = [...before.slice(0, at + 1), ...added].flatMap((layer) =>
    layer.parameters(),
  )
  for (const pattern of [...(options.freeze ?? []), ...(options.train ?? [])])
    matching(parametersThen, pattern)
  const { removed } = model.replaceAfter(keep, added)
  const afresh = scenario === 'large-different' && init !== 'pretrained'
  if (afresh) randomize(model, init, seed, reasons)
  else if (!model.pretrained)
    reasons.push(
      'The network holds no pretrained weights: what is kept is random, which makes this a control.',
    )
  for (const parameter of model.parameters())
    parameter.trainable = !small || parameter.name.startsWith('classifier.6.')
  setTrainable(model, options)
  const byHand = [
    ...(options.freeze ?? []).map((one) => `${one} frozen`),
    ...(options.train ?? []).map((one) => `${one} trained`),
  ]
  if (byHand.length) reasons.push(`As asked: ${byHand.join(', ')}.`)
  const parameters = model.parameters()
  const count = (trainable: boolean) => parameters.filter((p) => p.trainable === trainable)
  const values = (trainable: boolean) =>
    count(trainable).reduce((sum, p) => sum + sizeOf(p.shape), 0)
  return {
    scenario,
    replace,
    cut,
    removed: removed
      .filter(
        (layer) =>
          !added.some((other) => other.name === layer.name && other.parameters().length === 0),
      )
      .map((layer) => layer.name),
    added: added
      .filter((layer) => layer.parameters().length > 0)
      .map(({ name, description }) => ({ name, description })),
    frozen: count(false).map((p) => p.name),
    trained: count(true).map((p) => p.name),
    frozenValues: values(false),
    trainedValues: values(true),
    startsFrom: afresh || !model.pretrained ? 'random' : 'pretrained',
    classes,
    seed,
    reasons,
  }
}

/** The random stream of a new head: apart from those of the layers, which count from 0. */
const headStream = 1000

function checkScenario(options: ScenarioOptions): void {
  checkOptions('applyScenario', options, [
    'scenario',
    'classes',
    'replace',
    'cut',
    'init',
    'seed',
    'freeze',
    'train',
  ])
  const { scenario, classes, replace, cut, init, seed } = options
  if (!scenarios.includes(scenario))
    throw new UsageError(`there is no scenario '${scenario}'; there are ${scenarios.join(', ')}`)
  if (!Number.isSafeInteger(classes) || classes < 1)
    throw new UsageError(`classes is a positive integer, not ${classes}`)
  if (replace !== undefined && replace !== 'last' && replace !== 'all')
    throw new UsageError(`replace is 'last' or 'all', not '${replace}'`)
  if (replace === 'last' && scenario === 'small-different')
    throw new UsageError(
      "small-different always replaces the whole FC end; leave replace out, or say 'all'",
    )
  if (replace === 'last' && cut !== undefined)
    throw new UsageError(
      `after a cut at ${cut} no FC layers are left to keep; leave replace out, or say 'all'`,
    )
  if (init === 'pretrained' && scenario !== 'large-different')
    throw new UsageError(
      `init: 'pretrained' is for large-different; ${scenario} starts from the pretrained weights anyway`,
    )
  if (init !== undefined && init !== 'pretrained') requireInit(init)
  if (seed !== undefined) requireSeed(seed)
}

function indexOf(layers: readonly Module[], name: string): number {
  const at = layers.findIndex((layer) => layer.name === name)
  if (at < 0)
    throw new UsageError(
      `there is no layer ${name}; the layers are ${layers.map((layer) => layer.name).join(', ')}`,
    )
  return at
}

/** The layer before the first one that belongs to the FC end. */
function lastFeatureLayer(layers: readonly Module[]): string | undefined {
  const end = layers.findIndex(
    (layer) => layer instanceof Flatten || layer.name.startsWith('classifier.'),
  )
  return layers[end - 1]?.name
}

/** Gives every kept layer new values. */
function randomize(model: Network, init: Init | undefined, seed: number, reasons: string[]): void {
  for (const [stream, layer] of model.layers.entries())
    for (const parameter of layer.parameters()) {
      if (parameter.name.startsWith('classifier.6.')) continue
      const values = parameter.name.endsWith('.bias')
        ? new Float32Array(sizeOf(parameter.shape))
        : initialize(init ?? 'kaiming-normal', parameter.shape, new Random(seed, stream))
      parameter.assign(model.engine, values)
    }
  if (model.pretrained)
    reasons.push("The pretrained weights were left behind; init: 'pretrained' would keep them.")
  model.pretrained = false
}
