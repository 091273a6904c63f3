import { at } from '../base/at.ts'
import { type ClassCount, requireClasses } from '../base/classCount.ts'
import { UsageError, WeightsError } from '../base/errors.ts'
import { checkOptions } from '../base/options.ts'
import { option, optionText } from '../base/optionText.ts'
import { Random, requireSeed } from '../base/random.ts'
import { BatchNorm2d } from '../nn/batchNorm.ts'
import { type Init, initialize, requireInit } from '../nn/init.ts'
import { AdaptiveAvgPool2d, Flatten, Linear } from '../nn/layers.ts'
import type { Module } from '../nn/module.ts'
import { list, type Network, randomAmong } from '../nn/network.ts'
import type { Parameter } from '../nn/parameter.ts'
import { sizeOf } from '../tensor/ndbuffer.ts'
import { cutNamed, headOf, usualCut } from './cuts.ts'
import { matching, setTrainable, type TrainablePatterns } from './patterns.ts'

/** The names of the four scenarios. */
export const scenarios = [
  'small-similar',
  'small-different',
  'large-similar',
  'large-different',
] as const
/**
 * The four classic situations: few or many images, similar to the pretraining data or different.
 */
export type Scenario = (typeof scenarios)[number]

/** Options of `applyScenario`. */
export interface ScenarioOptions extends TrainablePatterns {
  readonly scenario: Scenario
  /** Outputs of the new last layer. */
  readonly classes: number
  /**
   * 'last': only the last FC layer is replaced. 'all': all FC layers are replaced by one new layer
   * on the flattened features. Default 'last', but 'all' in small-different and with `cut`.
   */
  readonly replace?: 'last' | 'all'
  /**
   * The last layer, block or stage that is kept: features.7, layer3.0, layer3. Default features.7
   * or layer3 in small-different, else nothing is cut off.
   */
  readonly cut?: string
  /**
   * The initializer of new layers, and in large-different of the whole network. 'pretrained' keeps
   * the pretrained values in large-different.
   */
  readonly init?: Init | 'pretrained'
  /** Seed of new values. Default: the network's seed. */
  readonly seed?: number
}

/** As much of what `chooseScenario` returns as decides the network. */
export interface ChosenScenario {
  readonly scenario: Scenario
  readonly replace: 'last' | 'all'
  readonly cut: string | null
  readonly evidence: { readonly classes: number }
}

/** What `applyScenario` has done, and why. */
export interface Plan {
  readonly scenario: Scenario
  readonly replace: 'last' | 'all'
  /** The last layer kept if the trunk was cut, else null. */
  readonly cut: string | null
  /** Layers that were removed. */
  readonly removed: readonly string[]
  /** Layers that were added. */
  readonly added: readonly { readonly name: string; readonly description: string }[]
  /** Tensors of the weights' own FC layers that do not fit and are not used, with their shapes. */
  readonly left: readonly string[]
  /** Names of tensors in the weights that are not this network's, and were ignored. */
  readonly ignored: readonly string[]
  /** Parameters whose values never change. */
  readonly frozen: readonly string[]
  /** Parameters that train. */
  readonly trained: readonly string[]
  /** Number of values in them. */
  readonly trainedValues: number
  readonly frozenValues: number
  /** The values that the kept layers start from. */
  readonly startsFrom: 'pretrained' | 'random'
  /** The numbers needed to repeat the plan. */
  readonly classes: number
  readonly seed: number
  /**
   * One sentence each: first the scenario's reason, then whatever differs from what was asked for.
   */
  readonly reasons: readonly string[]
}

const why: Readonly<Record<Scenario, string>> = {
  'small-similar':
    'Few images, similar to the pretraining data: its features fit as they are, and only a new ' +
    'last layer can be trained on so few images without overfitting.',
  'small-different':
    'Few images, different from the pretraining data: late features are too specialized, early ' +
    'ones are general, so the new layer is put on earlier ones.',
  'large-similar':
    'Many images, similar to the pretraining data: everything can be trained, and the pretrained ' +
    'weights are the best start.',
  'large-different':
    'Many images, different from the pretraining data: there are enough of them to train ' +
    'everything from the start.',
}

/**
 * Prepares a network for a new task: cuts it, adds a new FC layer at the end (with the old one's
 * name, `classifier.6` or `fc`; Xavier uniform with zero bias unless `init` says otherwise), and
 * sets every parameter's `trainable` flag: first by the scenario, then by `freeze` and `train`.
 * @param options or what `chooseScenario` chose, as it is
 * @throws UsageError for options that do not exist or contradict each other; the network is
 * unchanged then
 * @example
 * const plan = applyScenario(model, { scenario: 'small-similar', classes: 6, replace: 'all' })
 * @example applyScenario(model, await chooseScenario(model, data))
 */
export function applyScenario<N extends number>(
  model: Network,
  options: (ScenarioOptions & { readonly classes: N & ClassCount<N> }) | ChosenScenario,
): Plan
export function applyScenario(model: Network, given: ScenarioOptions | ChosenScenario): Plan {
  const options = isChosen(given) ? optionsOf(given) : given
  checkScenario(options)
  const { scenario, classes, init, freeze = [], train = [] } = options
  const seed = options.seed ?? model.seed
  const small = scenario.startsWith('small')
  const reasons = [why[scenario]]
  const afresh = scenario === 'large-different' && init !== 'pretrained'
  const before = model.layers
  const head = headOf(before)
  const { cut, replace } = headFor(model, options, afresh, reasons)
  const keep =
    cut ?? (replace === 'all' ? lastFeatureLayer(before) : before[indexOf(before, head) - 1]?.name)
  if (keep === undefined) throw new UsageError(`the network has no layer before ${head} to keep`)
  const keptAt = indexOf(before, keep)
  if (cut !== null && keptAt >= indexOf(before, head))
    throw new UsageError(
      optionText`${option('cut')} is the last layer kept, but ${cut} is the one that is replaced`,
    )
  const shape = at(model.shapes(), keptAt + 1)
  const added: Module[] = []
  // A network that averages whole maps before its last layer does so after a cut, too.
  const pool = before.slice(keptAt + 1).find((layer) => layer instanceof AdaptiveAvgPool2d)
  const pooled = pool?.size.every((extent) => extent === 1) ? pool : null
  if (pooled) added.push(new AdaptiveAvgPool2d(pooled.name, pooled.size))
  if (shape.length > 1) added.push(new Flatten('flatten'))
  const inputs = pooled ? at(shape, 0) : sizeOf(shape)
  const headInit = init === undefined || init === 'pretrained' ? 'xavier-uniform' : init
  added.push(
    new Linear(model.engine, head, inputs, classes, {
      weight: headInit,
      seed,
      stream: headStream,
    }),
  )
  const kept = [...before.slice(0, keptAt + 1), ...added].flatMap((layer) => layer.parameters())
  for (const pattern of [...freeze, ...train]) matching(kept, pattern)
  const { left } = model
  const { removed } = model.replaceAfter(keep, added)
  model.left = []
  if (afresh) randomize(model, head, init, seed, reasons)
  else if (!model.pretrained)
    reasons.push(
      'The network has no pretrained weights: the kept layers are random, a control experiment.',
    )
  for (const parameter of model.parameters())
    parameter.trainable = !small || parameter.name.startsWith(`${head}.`)
  setTrainable(model, options)
  const asked = [...freeze.map((one) => `${one} frozen`), ...train.map((one) => `${one} trained`)]
  if (asked.length) reasons.push(`As asked: ${asked.join(', ')}.`)
  const parameters = model.parameters()
  const trained = parameters.filter(({ trainable }) => trainable)
  const frozen = parameters.filter(({ trainable }) => !trainable)
  const values = (some: readonly Parameter[]) => some.reduce((n, { shape }) => n + sizeOf(shape), 0)
  const hasParameters = (layer: Module) => layer.parameters().length > 0
  const readded = new Set(added.filter((layer) => !hasParameters(layer)).map(({ name }) => name))
  return {
    scenario,
    replace,
    cut,
    removed: removed.map(({ name }) => name).filter((name) => !readded.has(name)),
    added: added.filter(hasParameters).map(({ name, description }) => ({ name, description })),
    left,
    ignored: model.ignored,
    frozen: frozen.map(({ name }) => name),
    trained: trained.map(({ name }) => name),
    trainedValues: values(trained),
    frozenValues: values(frozen),
    startsFrom: afresh || !model.pretrained ? 'random' : 'pretrained',
    classes,
    seed,
    reasons,
  }
}

function isChosen(given: ScenarioOptions | ChosenScenario): given is ChosenScenario {
  return typeof given === 'object' && given !== null && 'evidence' in given
}

function optionsOf({ scenario, replace, cut, evidence }: ChosenScenario): ScenarioOptions {
  return { scenario, classes: evidence.classes, ...(cut === null ? { replace } : { cut }) }
}

/**
 * Where the network is cut, and whether its hidden FC layers stay: as asked for, except that layers
 * which the weights do not have are never kept frozen, nor kept at all where nobody asked for it.
 * @throws UsageError for a cut or FC layers behind what the weights have, WeightsError where hidden
 * layers are to stay and those of the weights do not fit
 */
function headFor(
  model: Network,
  { scenario, cut: namedCut, replace: asked }: ScenarioOptions,
  afresh: boolean,
  reasons: string[],
): Pick<Plan, 'cut' | 'replace'> {
  const small = scenario.startsWith('small')
  const askedCut = namedCut === undefined ? undefined : cutNamed(model.layers, namedCut)
  let cut = askedCut ?? (scenario === 'small-different' ? usualCut(model.layers) : null)
  const random = randomAmong(model.missing)
  const absent = afresh || !model.pretrained ? [] : random
  const end = model.layers.findIndex(
    (layer) =>
      layer.name.startsWith('features.') &&
      layer.parameters().some(({ name }) => absent.includes(name)),
  )
  if (end >= 0) {
    const [last, first] = [model.layers[end - 1], at(model.layers, end)]
    if (!last)
      throw new WeightsError(
        `the weights do not have ${first.name}: no layer can be kept; take other weights, ` +
          'or start from random ones with large-different',
      )
    const cutAt = cut === null ? model.layers.length : indexOf(model.layers, cut)
    if (cutAt >= end && askedCut !== undefined && small)
      throw new UsageError(
        optionText`${option('cut', askedCut)} keeps ${first.name}, which is not in the weights: they
          end at ${last.name}, so cut there or before`,
      )
    if (cutAt >= end && asked === 'last')
      throw new UsageError(
        optionText`${option('replace', 'last')} keeps the hidden FC layers, which are not in the
          weights: they end at ${last.name}; leave ${option('replace')} out, or give
          ${option('replace', 'all')}`,
      )
    if (cutAt >= end && askedCut === undefined) {
      cut = last.name
      reasons.push(`The weights end at ${cut}, so the network is cut there.`)
    }
  }
  if (cut !== null) return { cut, replace: 'all' }
  const isHidden = (name: string) =>
    name.startsWith('classifier.') && !name.startsWith('classifier.6.')
  const hidden = random.filter(isHidden)
  const unfit = model.left.filter((tensor) => /^classifier\.[14]\./.test(tensor))
  if (asked === 'last' && unfit.length > 0 && !afresh)
    throw new WeightsError(
      optionText`${option('replace', 'last')} keeps the hidden FC layers, and those of the weights
        do not fit (${list(unfit)}); ${option('replace', 'all')} leaves them`,
    )
  const unwanted = small || (asked === undefined && model.pretrained && !afresh)
  if (asked !== 'all' && unwanted && hidden.length > 0) {
    reasons.push(
      `The weights do not contain ${list(hidden)}: random hidden layers are not kept` +
        `${small ? ' frozen' : ''}, so all FC layers are replaced.`,
    )
    return { cut, replace: 'all' }
  }
  return { cut, replace: asked ?? 'last' }
}

/** The random stream of a new head; those of the layers count from 0. */
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
  requireClasses(classes)
  if (replace !== undefined && replace !== 'last' && replace !== 'all')
    throw new UsageError(optionText`${option('replace')} is 'last' or 'all', not '${replace}'`)
  if (replace === 'last' && scenario === 'small-different')
    throw new UsageError(
      optionText`small-different always replaces all FC layers; leave ${option('replace')} out, or
        give ${option('replace', 'all')}`,
    )
  if (replace === 'last' && cut !== undefined)
    throw new UsageError(
      optionText`after a cut at ${cut} no FC layers are left to keep; leave ${option('replace')}
        out, or give ${option('replace', 'all')}`,
    )
  if (init === 'pretrained' && scenario !== 'large-different')
    throw new UsageError(
      optionText`${option('init', 'pretrained')} is for large-different; ${scenario} starts from
        the pretrained weights anyway`,
    )
  if (init !== undefined && init !== 'pretrained') requireInit(init)
  if (seed !== undefined) requireSeed(seed)
}

const indexOf = (layers: readonly Module[], name: string) =>
  layers.findIndex((layer) => layer.name === cutNamed(layers, name))

/** The last layer before the FC layers and the flatten in front of them. */
function lastFeatureLayer(layers: readonly Module[]): string | undefined {
  const end = layers.findIndex(
    (layer) => layer instanceof Flatten || layer.name.startsWith('classifier.'),
  )
  return layers[end - 1]?.name
}

/** Gives every kept layer new values. */
function randomize(
  model: Network,
  head: string,
  init: Init | undefined,
  seed: number,
  reasons: string[],
): void {
  let inside = headStream // the streams of layers inside blocks begin after it
  for (const [i, layer] of model.layers.entries())
    for (const leaf of layer.leaves()) {
      const stream = leaf === layer ? i : ++inside
      if (leaf.name === head) continue
      if (leaf instanceof BatchNorm2d) leaf.reset(model.engine)
      else
        for (const parameter of leaf.parameters()) {
          const values = parameter.name.endsWith('.bias')
            ? new Float32Array(sizeOf(parameter.shape))
            : initialize(init ?? 'kaiming-normal', parameter.shape, new Random(seed, stream))
          parameter.assign(model.engine, values)
        }
    }
  if (model.pretrained)
    reasons.push('The pretrained weights are not used; the init pretrained would keep them.')
  model.pretrained = false
}
