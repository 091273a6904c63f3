import { percent, thousands, withError } from '../base/format.ts'
import type { Scenario, ScenarioOptions } from './scenario.ts'

/** Numbers of images that count as few or many. The only place: explanations quote it. */
export const thresholds = {
  /** Fewer training images than this are few. */
  few: 10_000,
  /** This many or more are many. */
  many: 100_000,
  /**
   * Between the two, at least this many for each class are many: about as many as AlexNet was first
   * trained on.
   */
  perClass: 1_000,
  /** Fewer training images a class than this are too few to cross-validate: two for each fold. */
  scarce: 6,
} as const

/** How well a linear classifier predicts the classes from the output of one layer. */
export interface Depth {
  /** The layer whose output was probed. */
  readonly layer: string
  /** Whether it is among the convolutions, at their end, or among the FC layers. */
  readonly part: 'early' | 'last features' | 'hidden FC' | 'last hidden FC'
  /** Number of features of one image there. */
  readonly features: number
  /** Share of the sample predicted rightly by classifiers trained on the other folds, in 0..1. */
  readonly accuracy: number
  /** Standard error of the accuracy. */
  readonly error: number
  /**
   * The accuracy to expect of a classifier trained on all images, if errors keep falling as they do
   * from half of the sample to all of it.
   */
  readonly expected: number
  /** Standard error of the expected accuracy. */
  readonly expectedError: number
  /** The expected accuracy of the best depth, less that of this one. */
  readonly behind: number
  /** Standard error of that difference, from the images on which the two disagree. */
  readonly behindError: number
}

/** The measurements that a choice is based on. */
export interface Evidence {
  /** Number of training images. */
  readonly images: number
  readonly classes: number
  /** Whether the probed weights were trained. */
  readonly pretrained: boolean
  /** Number of images probed, and of their classes. */
  readonly sampled: number
  readonly sampledClasses: number
  readonly folds: number
  /** The share of the most common class in the sample: an accuracy that needs no features. */
  readonly chance: number
  /** Shallowest first. */
  readonly depths: readonly Depth[]
  /**
   * Seconds of the probe, and of that the part spent reading the sample and running the network.
   */
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
  /** The layer with the best output; in the two small scenarios the new layer is put on it. */
  readonly basis: string | null
  /** One sentence. */
  readonly reason: string
  readonly evidence: Evidence
}

/** Whether images are many, by the thresholds above. */
export function areMany({ images, classes }: Pick<Evidence, 'images' | 'classes'>): boolean {
  const { few, many, perClass } = thresholds
  return images >= many || (images >= few && images >= perClass * classes)
}

/**
 * Chooses a scenario from evidence. Few or many: by the number of images. Similar or different: by
 * whether late or early layers are expected to predict the classes best, trained on all images.
 * @example const { scenario, cut, reason } = decide(evidence)
 */
export function decide(evidence: Evidence): Choice {
  const { pretrained, depths, images, classes } = evidence
  if (images < thresholds.scarce * classes) return cautious(evidence)
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

/** The choice where there is too little to choose by: the scenario that can spoil the least. */
function cautious(evidence: Evidence): Choice {
  const { images, classes, depths } = evidence
  const reason =
    `${thousands(images)} images of ${classes} classes are fewer than ${thresholds.scarce} a ` +
    'class: too few to measure which scenario suits them, so only a new last layer trains, ' +
    'which is the safest.'
  const replace = isWhole(depths) ? 'last' : 'all'
  return { scenario: 'small-similar', replace, cut: null, basis: null, reason, evidence }
}

/** Whether the weights were loaded up to the last hidden FC layer. */
function isWhole(depths: readonly Depth[]): boolean {
  return depths.some(({ part }) => part === 'last hidden FC')
}

/**
 * The best head for a scenario by the evidence: the cut, or whether the hidden FC layers stay.
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
  // If everything trains, the whole network is used as far as its weights were loaded.
  if (scenario.startsWith('large')) return { replace: isWhole(depths) ? 'last' : 'all', cut: null }
  const early = scenario === 'small-different'
  const basis = bestOf(depths.filter(({ part }) => (part === 'early') === early))
  if (early || basis?.part === 'hidden FC') return { replace: 'all', cut: basis?.layer ?? null }
  return { replace: basis?.part === 'last hidden FC' ? 'last' : 'all', cut: null }
}

/** The depth with the highest expected accuracy; in a tie the deeper one. */
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
  const many = areMany(evidence) ? 'many' : 'few'
  const counts = `${thousands(images)} images of ${classes} classes`
  const amount = `${counts} are ${many} (${boundary(evidence)})`
  if (!basis) return `${amount}, and there were no layers to probe.`
  const weights = pretrained ? 'frozen' : 'random frozen'
  if (!useful)
    return (
      `${amount}, but with ${weights} features a classifier is no better than always naming the ` +
      `most common class (${percent(basis.accuracy)} against ${percent(chance)}), ` +
      'so everything trains.'
    )
  const probe =
    `a linear classifier on the ${weights} features is best after ${basis.layer} ` +
    `(${expectation(basis)} expected)`
  const late = bestOf(depths.filter(({ part }) => part !== 'early'))
  const tooFew = 'nothing is pretrained, and there are too few images to train the trunk'
  switch (scenario) {
    case 'small-similar': {
      const why = pretrained ? "the network's own features fit" : tooFew
      return `${amount}, and ${probe}: ${why}, so only a new last layer trains.`
    }
    case 'small-different': {
      const end = late ? `, and not at the end (${late.layer}: ${expectation(late)})` : ''
      const why = pretrained ? 'late features are too specialized' : tooFew
      return `${amount}, and ${probe}${end}: ${why}, so a new layer is put there.`
    }
    case 'large-similar':
      return `${amount}, and ${probe}: everything is best trained from the pretrained weights.`
    case 'large-different': {
      const why = pretrained ? `${probe}, far from the end` : 'nothing is pretrained'
      return `${amount}, and ${why}: there are enough images to train everything from the start.`
    }
  }
}

function expectation({ expected, expectedError }: Depth): string {
  return withError(expected, expectedError)
}

/** The threshold that made the images few or many. */
function boundary({ images, classes }: Evidence): string {
  const { few, many, perClass } = thresholds
  if (images < few) return `under ${thousands(few)}`
  if (images >= many) return `${thousands(many)} or more`
  const side = images >= perClass * classes ? 'at least' : 'under'
  return `${thousands(few)} or more, with ${side} ${thousands(perClass)} a class`
}
