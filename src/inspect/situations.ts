/** The four scenarios as figures: what each would cut, freeze and train of this network. */
import { type Scenario, scenarios } from '../transfer/scenario.ts'
import type { Inspection } from './inspection.ts'
import { stateOf } from './layerState.ts'

/** 'random' trains, too, and starts from random values. */
export type PartState = 'frozen' | 'trained' | 'random' | 'new' | 'cut'

/** A layer with parameters in a scenario's figure. */
export interface Part {
  readonly name: string
  readonly kind: 'convolution' | 'dense'
  readonly state: PartState
}

/** One scenario, as this network would be under it. */
export interface Situation {
  readonly scenario: Scenario
  /** 'a few images' or 'many images'. */
  readonly images: string
  /** 'like the pretraining images' or 'unlike them'. */
  readonly likeness: string
  readonly advice: string
  readonly parts: readonly Part[]
  /** Whether the recording is of this scenario: then its parts are what was recorded. */
  readonly recorded: boolean
}

type Recorded = Pick<Inspection, 'layers' | 'removed' | 'plan'>

const told: Readonly<
  Record<Scenario, readonly [images: string, likeness: string, advice: string]>
> = {
  'small-similar': [
    'a few images',
    'like the pretraining images',
    'Keep everything that was learned, frozen, and train a new last layer alone.',
  ],
  'small-different': [
    'a few images',
    'unlike the pretraining images',
    'Keep the early layers, which see edges and textures, frozen; cut off the late ones, which ' +
      'know the old classes, and train a new last layer.',
  ],
  'large-similar': [
    'many images',
    'like the pretraining images',
    'Begin with what was learned, put a new last layer on it, and train all of it.',
  ],
  'large-different': [
    'many images',
    'unlike the pretraining images',
    'There is enough to learn from: train all of it from random values.',
  ],
}

/** The layers with parameters of a whole AlexNet, by torchvision's names. */
const alexnetParts = [0, 3, 6, 8, 10]
  .map((n) => `features.${n}`)
  .concat([1, 4, 6].map((n) => `classifier.${n}`))

const kindOf = (name: string, shape: readonly number[] | undefined): Part['kind'] =>
  (shape ? shape.length === 4 : name.startsWith('features.')) ? 'convolution' : 'dense'

/** The layers with parameters before any scenario: those that stayed and those that were cut. */
function wholeNetwork({ layers, removed }: Recorded): Omit<Part, 'state'>[] {
  const kept = layers
    .filter(({ parameters, isNew }) => parameters.length > 0 && !isNew)
    .map(({ name, parameters }) => ({ name, kind: kindOf(name, parameters[0]?.shape) }))
  const gone = removed
    .filter((name) => alexnetParts.includes(name))
    .map((name) => ({ name, kind: kindOf(name, undefined) }))
  return [...kept, ...gone]
}

/** A scenario's parts, by its rule. */
function partsBy(scenario: Scenario, whole: readonly Omit<Part, 'state'>[]): Part[] {
  const convolutions = whole.filter(({ kind }) => kind === 'convolution')
  // As applyScenario: an AlexNet keeps three convolutions; of another network, the first half.
  const kept = convolutions[Math.ceil(convolutions.length / 2) - 1]
  const last = whole.at(-1)
  const cutFrom =
    scenario === 'small-different' && kept ? whole.indexOf(kept) + 1 : whole.length - 1
  const state = scenario.startsWith('small')
    ? 'frozen'
    : scenario === 'large-different'
      ? 'random'
      : 'trained'
  const parts = whole.map((part, i): Part => ({ ...part, state: i < cutFrom ? state : 'cut' }))
  return last ? [...parts, { name: last.name, kind: 'dense', state: 'new' }] : parts
}

/** The parts of the recorded network. */
function recordedParts(recorded: Recorded): Part[] {
  const own = recorded.layers.filter(({ parameters }) => parameters.length > 0)
  const trained = recorded.plan?.startsFrom === 'random' ? 'random' : 'trained'
  const cut = wholeNetwork({ ...recorded, layers: [] }).map(
    (part): Part => ({
      ...part,
      state: 'cut',
    }),
  )
  const parts = own.map((layer): Part => {
    const state = stateOf(layer)
    return {
      name: layer.name,
      kind: kindOf(layer.name, layer.parameters[0]?.shape),
      state: state === 'trained' ? trained : state === 'new' ? 'new' : 'frozen',
    }
  })
  const head = parts.filter(({ state }) => state === 'new')
  return [...parts.filter(({ state }) => state !== 'new'), ...cut, ...head]
}

/** The four scenarios, the recorded one as it was. */
export function situationsOf(recorded: Recorded): Situation[] {
  const whole = wholeNetwork(recorded)
  return scenarios.map((scenario) => {
    const [images, likeness, advice] = told[scenario]
    const isRecorded = recorded.plan?.scenario === scenario
    const parts = isRecorded ? recordedParts(recorded) : partsBy(scenario, whole)
    return { scenario, images, likeness, advice, parts, recorded: isRecorded }
  })
}
