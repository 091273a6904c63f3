import { at } from '../base/at.ts'
import { DataError, UsageError } from '../base/errors.ts'
import { pairedDifference, shareInterval } from '../base/interval.ts'
import { checkOptions } from '../base/options.ts'
import { requireSeed } from '../base/random.ts'
import { countByClass, type ImageDataset } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import { areScarce, type Choice, decide } from '../transfer/decide.ts'
import type { Depth, Evidence } from '../transfer/evidence.ts'
import { doublingsTo } from '../transfer/forecast.ts'
import type { CrossValidation } from '../transfer/ridge.ts'
import type { OnEvent } from './events.ts'
import { defaultBatchSize } from './fitOptions.ts'
import { trainingOptions } from './options/table.ts'
import { type Probe, probe, probedLayers } from './probe.ts'

/** Options of `chooseScenario`. */
export interface ChooseOptions {
  /** Seed of the sample of images and of its folds. Default 0. */
  readonly seed?: number
  /** The most images that are probed. Default 800; fewer if a network's features are large. */
  readonly pictures?: number
  readonly onEvent?: OnEvent
  readonly signal?: AbortSignal
}

const defaultImages = 800
/** Folds of the cross-validation. */
const folds = 3

/**
 * Chooses one of the four scenarios for a dataset, the cut, and whether the FC layers stay. It
 * counts images and classes, and measures on a seeded sample of the training images how well a
 * linear classifier predicts the classes from the frozen network's output at several depths (after
 * each stage of convolutions and each hidden FC layer), by threefold cross-validation. Too few
 * images for that are not read at all. The network is not changed.
 * @param model as `alexnet` made it, before `applyScenario`
 * @returns scenario, replace, cut and reason, ready for `applyScenario`, and the evidence
 * @throws DataError when fewer than two classes of the sample can be decoded
 * @throws UsageError for options that do not fit
 * @example
 * const choice = await chooseScenario(model, data)
 * console.log(choice.reason)
 * applyScenario(model, choice)
 */
export async function chooseScenario(
  model: Network,
  data: ImageDataset,
  options: ChooseOptions = {},
): Promise<Choice> {
  checkOptions('chooseScenario', options, ['seed', 'pictures', 'onEvent', 'signal'])
  const { seed = 0, pictures = defaultImages, onEvent, signal } = options
  requireSeed(seed)
  if (!Number.isSafeInteger(pictures) || pictures < folds)
    throw new UsageError(`pictures is an integer of ${folds} or more, not ${pictures}`)
  const known = {
    images: data.train.length,
    classes: data.classes.length,
    pretrained: model.pretrained,
    folds,
    validation: data.val.length,
    steps: trainingOptions.epochs.default * Math.ceil(data.train.length / defaultBatchSize),
    seed,
  }
  if (areScarce(known)) {
    const counts = countByClass(data.train, data.classes.length)
    requireTwo(counts.filter((count) => count > 0).length, data)
    const chance = mostCommonShare(counts)
    const none = { sampled: 0, sampledClasses: 0, sampledValidation: 0, seconds: 0, readSeconds: 0 }
    const isWhole = probedLayers(model).at(-1)?.part === 'last hidden FC'
    return decide({ ...known, ...none, chance, depths: [] }, isWhole)
  }
  const started = performance.now()
  const probed = await probe(model, data, { seed, pictures, folds, onEvent, signal })
  const { labels, classes, readSeconds, read } = probed
  requireTwo(classes, data)
  const counts = new Array<number>(classes).fill(0)
  for (const label of labels) counts[label] = at(counts, label) + 1
  const evidence: Evidence = {
    ...known,
    sampled: labels.length,
    sampledClasses: classes,
    chance: mostCommonShare(counts),
    sampledValidation: read - labels.length,
    depths: depthsOf(probed, data.train.length),
    seconds: (performance.now() - started) / 1000,
    readSeconds,
  }
  return decide(evidence)
}

function requireTwo(classes: number, { root }: ImageDataset): void {
  if (classes < 2)
    throw new DataError(
      `${root}: to choose a scenario, images of at least two classes must be readable`,
    )
}

/** The share of the most common class, by how many images each has. */
function mostCommonShare(counts: readonly number[]): number {
  return Math.max(...counts) / counts.reduce((a, b) => a + b, 0)
}

/** What was measured at each depth, with its distance to the best one. */
function depthsOf({ depths, labels }: Probe, images: number): Depth[] {
  // Each of the folds' classifiers learned from all folds but one.
  const doublings = doublingsTo(images, (labels.length * (folds - 1)) / folds)
  const expectations = depths.map(({ outcome }) => extrapolated(outcome, doublings))
  const means = expectations.map(mean)
  const best = at(expectations, means.indexOf(Math.max(...means)))
  return depths.map(({ layer, part, features, outcome }, i) => {
    const accuracy = mean(outcome.correct)
    const values = at(expectations, i)
    return {
      layer,
      part,
      features,
      accuracy,
      interval: shareInterval(accuracy, labels.length),
      expected: Math.min(1, Math.max(0, at(means, i))),
      behind: pairedDifference(best, values),
      validation: outcome.held.length > 0 ? mean(outcome.held) : null,
      validationOfHalf: outcome.held.length > 0 ? mean(outcome.halfHeld) : null,
    }
  })
}

/**
 * The accuracy to expect if the number of images were doubled this many times. Errors fall by a
 * power of the number of images (Cortes et al. 1993; Hestness et al. 2017, arXiv:1712.00409): each
 * doubling divides the error by the same factor as the last one did, so that it becomes e (e / h)^d
 * for the error e with all images and h with half of them.
 * @returns a value for each image; their mean is the expected accuracy, and their spread its
 * uncertainty (the image's influence, to first order)
 */
function extrapolated({ correct, halfCorrect }: CrossValidation, doublings: number): Float64Array {
  const [e, h] = [1 - mean(correct), 1 - mean(halfCorrect)]
  if (e === 0 || h === 0) return correct
  const power = (e / h) ** doublings
  const ofHalf = doublings * power * (e / h)
  return correct.map(
    (one, k) =>
      1 -
      e * power -
      (1 + doublings) * power * (1 - one - e) +
      ofHalf * (1 - at(halfCorrect, k) - h),
  )
}

function mean(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0) / values.length
}
