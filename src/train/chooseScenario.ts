import { at } from '../base/at.ts'
import { DataError, UsageError } from '../base/errors.ts'
import { pairedDifference, shareInterval } from '../base/interval.ts'
import { checkOptions } from '../base/options.ts'
import { requireSeed } from '../base/random.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import { type Choice, decide } from '../transfer/decide.ts'
import type { Depth, Evidence } from '../transfer/evidence.ts'
import { doublingsTo } from '../transfer/forecast.ts'
import type { CrossValidation } from '../transfer/ridge.ts'
import type { OnEvent } from './events.ts'
import { defaultBatchSize } from './fitOptions.ts'
import { trainingOptions } from './options/table.ts'
import { type Probe, probe } from './probe.ts'

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
 * each stage of convolutions and each hidden FC layer), by threefold cross-validation. The network
 * is not changed.
 * @param model as `alexnet` made it, before `applyScenario`
 * @returns scenario, replace, cut and reason, ready for `applyScenario`, and the evidence
 * @throws DataError when fewer than two classes of the sample can be decoded
 * @throws UsageError for options that do not fit
 * @example
 * const { scenario, replace, cut, reason } = await chooseScenario(model, data)
 * const head = cut ? { cut } : { replace }
 * applyScenario(model, { scenario, classes: data.classes.length, ...head })
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
  const started = performance.now()
  const probed = await probe(model, data, { seed, pictures, folds, onEvent, signal })
  const { labels, classes, readSeconds, read } = probed
  if (classes < 2)
    throw new DataError(
      `${data.root}: to choose a scenario, images of at least two classes must be readable`,
    )
  const evidence: Evidence = {
    images: data.train.length,
    classes: data.classes.length,
    pretrained: model.pretrained,
    sampled: labels.length,
    sampledClasses: classes,
    folds,
    chance: mostCommonShare(labels, classes),
    validation: data.val.length,
    sampledValidation: read - labels.length,
    steps: trainingOptions.epochs.default * Math.ceil(data.train.length / defaultBatchSize),
    depths: depthsOf(probed, data.train.length),
    seconds: (performance.now() - started) / 1000,
    readSeconds,
    seed,
  }
  return decide(evidence)
}

function mostCommonShare(labels: readonly number[], classes: number): number {
  const counts = new Array<number>(classes).fill(0)
  for (const label of labels) counts[label] = at(counts, label) + 1
  return Math.max(...counts) / labels.length
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
