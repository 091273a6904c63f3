import { percent, thousands, withError } from '../base/format.ts'
import type { Scenario, ScenarioOptions } from './scenario.ts'

/** From when on images are many. The one place that says so; the explanation quotes it. */
export const thresholds = {
  /** Below this many images to train on they are few. */
  few: 10_000,
  /** From this many on they are many. */
  many: 100_000,
  /**
   * Between the two they are many with at least this many for each class, about as many as AlexNet
   * was first trained on.
   */
  perClass: 1_000,
} as const

/** How well a linear classifier reads the classes from the output of one layer. */
export interface Depth {
  /** The layer whose output was probed. */
  readonly layer: string
  /** Where it lies: among the convolutions, at their end, or among the FC layers. */
  readonly part: 'early' | 'last features' | 'hidden FC' | 'last hidden FC'
  /** Values of one image there. */
  readonly features: number
  /**
   * Share of the sample that is named rightly by classifiers that learned from the other folds, in
   * 0..1.
   */
  readonly accuracy: number
  /** Standard error of the accuracy. */
  readonly error: number
  /**
   * The accuracy to expect of a classifier that learns from all images: errors go on falling as
   * from half of the sample to all of it.
   */
  readonly expected: number
  readonly expectedError: number
  /** How far it is expected to lie behind the best depth. */
  readonly behind: number
  /** Standard error of that difference, by the images on which the two disagree. */
  readonly behindError: number
}

/** What a choice rests on. */
export interface Evidence {
  /** Images to train on. */
  readonly images: number
  readonly classes: number
  /** Whether somebody trained the probed weights. */
  readonly pretrained: boolean
  /** Images probed, and of how many classes. */
  readonly sampled: number
  readonly sampledClasses: number
  readonly folds: number
  /** The share of the commonest class in the sample: what needs no features. */
  readonly chance: number
  /** Shallowest first. */
  readonly depths: readonly Depth[]
  /** What the probe took, and of that reading the sample and running it through the network. */
  readonly seconds: number
  readonly readSeconds: number
  readonly seed: number
}

/** A scenario, where to cut, whether the FC layers stay, and why. */
export interface Choice {
  readonly scenario: Scenario
  readonly replace: 'last' | 'all'
  /** The last layer kept where something is cut off, else null. */
  readonly cut: string | null
  /**
   * The depth that decided: its output is what the new layer sits on in the two small scenarios.
   */
  readonly basis: string | null
  /** One sentence. */
  readonly reason: string
  readonly evidence: Evidence
}

/** Whether the images are many, by the thresholds above. */
export function areMany({ images, classes }: Pick<Evidence, 'images' | 'classes'>): boolean {
  const { few, many, perClass } = thresholds
  return images >= many || (images >= few && images >= perClass * classes)
}

/**
 * Picks a scenario from evidence: few or many by count; like or unlike by whether the last layers,
 * or earlier ones, are expected to tell the classes apart best once they learn from all images.
 * @example const { scenario, cut, reason } = decide(evidence)
 */
export function decide(evidence: Evidence): Choice {
  const { pretrained, depths } = evidence
  const basis = bestOf(depths)
  const many = areMany(evidence)
  const useful = basis !== undefined && basis.accuracy - 2 * basis.error > evidence.chance
  const late = basis !== undefined && basis.part !== 'early'
  const everything: Scenario = pretrained && (late || !many) ? 'large-similar' : 'large-different'
  const scenario: Scenario =
    many || !useful ? everything : late ? 'small-similar' : 'small-different'
  const reason = reasonFor(scenario, evidence, basis, useful)
  return { scenario, ...headFor(scenario, evidence), basis: basis?.layer ?? null, reason, evidence }
}

/**
 * What the evidence says of one scenario's head: the cut, or whether the hidden FC layers stay.
 * @example applyScenario(model, { scenario, classes, ...headOptions(scenario, evidence) })
 */
export function headOptions(
  scenario: Scenario,
  evidence: Evidence,
): Pick<ScenarioOptions, 'replace' | 'cut'> {
  return optionsOf(headFor(scenario, evidence))
}

/** A choice's head as `applyScenario` takes it. */
export function optionsOf({
  replace,
  cut,
}: Pick<Choice, 'replace' | 'cut'>): Pick<ScenarioOptions, 'replace' | 'cut'> {
  return cut === null ? { replace } : { cut }
}

function headFor(scenario: Scenario, { depths }: Evidence): Pick<Choice, 'replace' | 'cut'> {
  const whole = depths.some(({ part }) => part === 'last hidden FC')
  // Where everything trains nothing speaks for less than the whole network, as far as its weights
  // are there.
  if (scenario.startsWith('large')) return { replace: whole ? 'last' : 'all', cut: null }
  const early = scenario === 'small-different'
  const basis = bestOf(depths.filter(({ part }) => (part === 'early') === early))
  if (early || basis?.part === 'hidden FC') return { replace: 'all', cut: basis?.layer ?? null }
  return { replace: basis?.part === 'last hidden FC' ? 'last' : 'all', cut: null }
}

/** The depth of which the most is expected; the deeper of equals. */
function bestOf(depths: readonly Depth[]): Depth | undefined {
  return depths.reduce<Depth | undefined>(
    (best, depth) => (best && best.expected > depth.expected ? best : depth),
    undefined,
  )
}

function reasonFor(
  scenario: Scenario,
  evidence: Evidence,
  basis: Depth | undefined,
  useful: boolean,
): string {
  const { images, classes, chance, depths, pretrained } = evidence
  const amount = `${thousands(images)} images of ${classes} classes are ${areMany(evidence) ? 'many' : 'few'} (${boundary(evidence)})`
  if (!basis) return `${amount}, and there was nothing to probe.`
  const weights = pretrained ? 'frozen' : 'random frozen'
  if (!useful)
    return `${amount}, but ${weights} features tell the classes apart no better than always naming the commonest (${percent(basis.accuracy)} against ${percent(chance)}), so everything trains.`
  const read = `a linear probe of the ${weights} features reads the classes best after ${basis.layer} (${withError(basis.expected, basis.expectedError)} expected)`
  const late = bestOf(depths.filter(({ part }) => part !== 'early'))
  if (scenario === 'small-similar')
    return `${amount}, and ${read}: ${pretrained ? "the network's own features fit" : 'nothing is pretrained, and so few train no trunk'}, so only a new last layer trains.`
  if (scenario === 'small-different')
    return `${amount}, and ${read}${late ? `, rather than at the end (${late.layer}: ${withError(late.expected, late.expectedError)})` : ''}: ${pretrained ? 'late features are too special' : 'nothing is pretrained, and so few train no trunk'}, so a new layer sits on these.`
  if (scenario === 'large-similar')
    return `${amount}, and ${read}: the pretrained weights are the best place to train everything from.`
  return `${amount}, and ${pretrained ? `${read}, far from the end` : 'nothing is pretrained'}: there is enough to train everything, and little to inherit.`
}

/** The threshold that decided. */
function boundary({ images, classes }: Evidence): string {
  const { few, many, perClass } = thresholds
  if (images < few) return `under ${thousands(few)}`
  if (images >= many) return `${thousands(many)} or more`
  return `${thousands(few)} or more, with ${images >= perClass * classes ? 'at least' : 'under'} ${thousands(perClass)} a class`
}
