import { accuracyWithInterval, percent, pointsRange, thousands } from '../base/format.ts'
import type { Difference } from '../base/interval.ts'
import type { Depth, Evidence } from './evidence.ts'
import { type Forecast, forecastOf } from './forecast.ts'
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

/** Two depths of which neither is shown to be better. */
export interface Tie {
  /** The layer that was not chosen, and its scenario. */
  readonly layer: string
  readonly scenario: Scenario
  /** Its expected accuracy less that of the chosen one, with a 95 % interval that contains 0. */
  readonly difference: Difference
}

/** A scenario, where to cut, whether the FC layers stay, and why. */
export interface Choice {
  readonly scenario: Scenario
  readonly replace: 'last' | 'all'
  /** The last layer kept where something is cut off, else null. */
  readonly cut: string | null
  /** The layer with the best output; in the two small scenarios the new layer is put on it. */
  readonly basis: string | null
  /** What early and late layers tie in, where they do; the cheaper scenario is chosen then. */
  readonly tie: Tie | null
  /**
   * The validation accuracy to expect of a training with the default options. Null where the whole
   * network trains, and where there is nothing to judge by.
   */
  readonly forecast: Forecast | null
  /** One sentence or two. */
  readonly reason: string
  readonly evidence: Evidence
}

/** Whether images are many, by the thresholds above. */
export function areMany({ images, classes }: Pick<Evidence, 'images' | 'classes'>): boolean {
  const { few, many, perClass } = thresholds
  return images >= many || (images >= few && images >= perClass * classes)
}

/** Whether images are too few to measure anything by, by the thresholds above. */
export function areScarce({ images, classes }: Pick<Evidence, 'images' | 'classes'>): boolean {
  return images < thresholds.scarce * classes
}

/**
 * Chooses a scenario from evidence. Few or many: by the number of images. Similar or different: by
 * whether late or early layers predict the classes best. If neither is shown to be better, it is a
 * tie, and the cheaper scenario is chosen.
 * @param isWhole whether the weights were loaded up to the last hidden FC layer
 * @example const { scenario, cut, reason } = decide(evidence)
 */
export function decide(evidence: Evidence, isWhole = reachesTheHead(evidence.depths)): Choice {
  const { pretrained, depths } = evidence
  if (areScarce(evidence)) return cautious(evidence, isWhole)
  const best = bestOf(depths)
  const other = best && bestOf(depths.filter((depth) => isEarly(depth) !== isEarly(best)))
  const tied = other && other.behind.low <= 0 ? other : undefined
  const many = areMany(evidence)
  const useful = best !== undefined && best.interval.low > evidence.chance
  const basis = best && tied ? cheaper(best, tied, many) : best
  const late = basis !== undefined && !isEarly(basis)
  const everything: Scenario = pretrained && (late || !many) ? 'large-similar' : 'large-different'
  const small = (depth: Depth): Scenario => (isEarly(depth) ? 'small-different' : 'small-similar')
  const scenario = many || !useful || !basis ? everything : small(basis)
  const loser = basis === best ? tied : best
  const tie: Tie | null =
    tied && loser && useful && (pretrained || !many)
      ? {
          layer: loser.layer,
          scenario: many ? large(loser) : small(loser),
          difference: loser === best ? tied.behind : negative(tied.behind),
        }
      : null
  return {
    scenario,
    ...headFor(scenario, evidence),
    basis: basis?.layer ?? null,
    tie,
    forecast: scenario.startsWith('small') && basis ? forecastOf(basis, evidence) : null,
    reason: reasonFor(scenario, evidence, { basis, useful, tie }),
    evidence,
  }
}

function isEarly({ part }: Depth): boolean {
  return part === 'early'
}

/** The scenario of many images whose classes are predicted best from this depth. */
function large(depth: Depth): Scenario {
  return isEarly(depth) ? 'large-different' : 'large-similar'
}

/**
 * Of two depths that tie, the one whose scenario costs less: a new layer with fewer values where
 * only that trains, the pretrained weights where everything does.
 */
function cheaper(best: Depth, other: Depth, many: boolean): Depth {
  if (many) return isEarly(best) ? other : best
  return other.features < best.features ? other : best
}

function negative({ value, low, high }: Difference): Difference {
  return { value: -value, low: -high, high: -low }
}

/** The choice where there is too little to choose by: the scenario that can spoil the least. */
function cautious(evidence: Evidence, isWhole: boolean): Choice {
  const { images, classes } = evidence
  const reason =
    `${thousands(images)} images of ${classes} classes are fewer than ${thresholds.scarce} a ` +
    'class: too few to measure which scenario suits them, so only a new last layer trains, ' +
    'which is the safest.'
  return {
    scenario: 'small-similar',
    ...{ replace: isWhole ? 'last' : 'all', cut: null, basis: null, tie: null, forecast: null },
    reason,
    evidence,
  }
}

/** Whether the weights were loaded up to the last hidden FC layer. */
function reachesTheHead(depths: readonly Depth[]): boolean {
  return depths.some(({ part }) => part === 'last hidden FC')
}

/**
 * The best head for a scenario by the evidence: the cut, or whether the hidden FC layers stay. None
 * where nothing was measured: `applyScenario` has its own for each scenario.
 * @example applyScenario(model, { scenario, classes, ...headOptions(scenario, evidence) })
 */
export function headOptions(
  scenario: Scenario,
  evidence: Evidence,
): Pick<ScenarioOptions, 'replace' | 'cut'> {
  return evidence.depths.length > 0 ? optionsOf(headFor(scenario, evidence)) : {}
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
  if (scenario.startsWith('large'))
    return { replace: reachesTheHead(depths) ? 'last' : 'all', cut: null }
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
  { basis, useful, tie }: { basis: Depth | undefined; useful: boolean; tie: Tie | null },
): string {
  const { images, classes, chance, depths, pretrained } = evidence
  const many = areMany(evidence) ? 'many' : 'few'
  const counts = `${thousands(images)} images of ${classes} classes`
  const amount = `${counts} are ${many} (${boundary(evidence)})`
  if (!basis) return `${amount}, and there were no layers to probe.`
  const weights = pretrained ? 'frozen' : 'random frozen'
  if (!useful)
    return (
      `${amount}, but with ${weights} features a classifier is not shown to be better than ` +
      `always naming the most common class (${measured(basis)} against ${percent(chance)}), ` +
      'so everything trains.'
    )
  const classifier = `a linear classifier on the ${weights} features`
  const loser = tie && depths.find(({ layer }) => layer === tie.layer)
  if (tie && loser) return `${amount}, and ${classifier} ${tieReason(scenario, basis, loser, tie)}`
  const probe = `${classifier} is best after ${basis.layer} (${measured(basis)})`
  const late = bestOf(depths.filter((depth) => !isEarly(depth)))
  const tooFew = 'nothing is pretrained, and there are too few images to train the trunk'
  switch (scenario) {
    case 'small-similar': {
      const why = pretrained ? "the network's own features fit" : tooFew
      return `${amount}, and ${probe}: ${why}, so only a new last layer trains.`
    }
    case 'small-different': {
      const end = late ? `, and not at the end (${late.layer}: ${measured(late)})` : ''
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

function tieReason(scenario: Scenario, basis: Depth, loser: Depth, tie: Tie): string {
  const both =
    `does as well after ${loser.layer} as after ${basis.layer}: they tie, with a difference of ` +
    `${pointsRange(tie.difference)} points (95 % interval)`
  if (scenario.startsWith('large'))
    return `${both}. So everything trains from the pretrained weights, which is the cheaper way.`
  return (
    `${both}. So auto takes the cheaper one, ${scenario}: its new layer has ` +
    `${thousands(basis.features)} inputs instead of ${thousands(loser.features)}.`
  )
}

/** The accuracy that was measured, with its 95 % interval. */
function measured({ accuracy, interval }: Depth): string {
  return accuracyWithInterval(accuracy, interval)
}

/** The threshold that made the images few or many. */
function boundary({ images, classes }: Evidence): string {
  const { few, many, perClass } = thresholds
  if (images < few) return `under ${thousands(few)}`
  if (images >= many) return `${thousands(many)} or more`
  const side = images >= perClass * classes ? 'at least' : 'under'
  return `${thousands(few)} or more, with ${side} ${thousands(perClass)} a class`
}
