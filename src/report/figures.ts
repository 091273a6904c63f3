import { at } from '../base/at.ts'
import { type Share, wilson } from '../base/interval.ts'
import { countByClass, type ImageDataset } from '../data/dataset.ts'
import { decodeImage } from '../host/node/decode.ts'
import type { Network } from '../nn/network.ts'
import type { EpochResult, OnEvent } from '../train/events.ts'
import { defaultBatchSize, type FitOptions } from '../train/fitOptions.ts'
import { keptEpochOf } from '../train/kept.ts'
import { mostLikely } from '../train/metrics.ts'
import { type Outcome, outcomesOf, predictedOf } from '../train/outcomes.ts'
import type { RunConfig } from '../train/runFolder.ts'
import type { Timings } from '../train/timings.ts'
import type { Choice } from '../transfer/decide.ts'
import type { Plan } from '../transfer/scenario.ts'
import { type Cell, drawCells, pickCells } from './gallery.ts'
import { drawImages, type Images } from './occlusion.ts'
import { occlusionMap } from './occlusionMap.ts'
import {
  type Bin,
  baselineOf,
  type ClassFigures,
  calibrationOf,
  classFigures,
  confusionOf,
  lossOf,
  suspectsOf,
  type TopLoss,
  topLossOf,
  worstOf,
} from './statistics.ts'
import { measureStep, type StepTimes } from './stepTimes.ts'
import type { Baseline } from './verdict.ts'

/** Everything in a report except the images. */
export interface RunFigures {
  readonly run: string
  readonly graft: string
  readonly adapter: string
  /** The day on which its weights were written: '2026-11-30'. */
  readonly trainedOn: string
  readonly network: string
  readonly plan: Plan
  readonly choice: Choice | null
  readonly options: Readonly<Record<string, unknown>>
  readonly data: {
    readonly root: string
    readonly classes: readonly string[]
    readonly train: number
    readonly val: number
  }
  /** Images to train on, by class. */
  readonly trainCounts: readonly number[]
  readonly accuracy: Share | null
  /** What always naming the most common class of the images held out reaches. */
  readonly baseline: Baseline
  readonly top5: Share | null
  readonly loss: number
  readonly epochs: readonly EpochResult[]
  /** The number of the epoch whose weights the run has; 0 if none was finished. */
  readonly keptEpoch: number
  readonly perClass: readonly ClassFigures[]
  /** Images by true class (rows) and predicted class (columns). */
  readonly confusion: readonly (readonly number[])[]
  readonly calibration: { readonly error: number; readonly bins: readonly Bin[] }
  readonly topLosses: readonly TopLoss[]
  /** Names of images whose label the network contradicts with certainty. */
  readonly suspects: readonly string[]
  /** Seconds of training by phase; null where the run did not record them. */
  readonly timings: Timings | null
  /** One training step on the adapter that makes the report; null without timestamps. */
  readonly step: StepTimes | null
}

export interface Report {
  readonly figures: RunFigures
  /** One for each top loss, in the same order. */
  readonly images: readonly Images[]
  /** Some images of each cell of the confusion matrix. */
  readonly cells: readonly Cell[]
}

interface Subject {
  readonly folder: string
  readonly model: Network
  readonly config: RunConfig
  readonly data: ImageDataset
  readonly epochs: readonly EpochResult[]
  readonly timings: Timings | null
  /** When its weights were written. */
  readonly trained: Date
}

/**
 * Measures a trained run on the images that were held out.
 * @param options.topLosses how many of the images with the largest losses are shown
 * @throws DataError where no image can be decoded, ShapeError where the data has another number of
 * classes
 */
export async function measureRun(
  { folder, model, config, data, epochs, timings, trained }: Subject,
  options: {
    readonly topLosses: number
    readonly onEvent?: OnEvent
    readonly onImage?: (done: number, total: number) => void
  },
): Promise<Report> {
  const outcomes = await outcomesOf(model, data, { onEvent: options.onEvent })
  const { classes } = data
  const confusion = confusionOf(outcomes, classes.length)
  const hits = confusion.reduce((sum, row, c) => sum + at(row, c), 0)
  const worst = worstOf(outcomes, options.topLosses)
  const figures: RunFigures = {
    run: folder,
    graft: config.graft,
    adapter: config.adapter,
    trainedOn: trained.toISOString().slice(0, 10),
    network: config.architecture.variant,
    plan: config.plan,
    choice: config.choice ?? null,
    options: config.options,
    data: { root: data.root, classes, train: data.train.length, val: outcomes.length },
    trainCounts: countByClass(data.train, classes.length),
    accuracy: wilson(hits, outcomes.length),
    baseline: baselineOf(classes, confusion),
    top5: wilson(outcomes.filter(isAmongFive).length, outcomes.length),
    loss: outcomes.reduce((sum, outcome) => sum + lossOf(outcome), 0) / outcomes.length,
    epochs,
    keptEpoch: keptEpochOf(epochs, config.options as Partial<FitOptions>),
    perClass: classFigures(classes, confusion),
    confusion,
    calibration: calibrationOf(outcomes),
    topLosses: worst.map((outcome) => topLossOf(outcome, classes)),
    suspects: suspectsOf(outcomes),
    timings,
    step: await stepOf(model, outcomes),
  }
  const picks = pickCells(outcomes)
  const total = worst.length + picks.reduce((sum, { outcomes: inCell }) => sum + inCell.length, 0)
  const images: Images[] = []
  for (const outcome of worst) {
    const image = await decodeImage(outcome.sample.source, outcome.sample.name)
    images.push(
      await drawImages(model, image, await occlusionMap(model, image, predictedOf(outcome))),
    )
    options.onImage?.(images.length, total)
  }
  const cells = await drawCells(picks, (done) => options.onImage?.(worst.length + done, total))
  return { figures, images, cells }
}

async function stepOf(model: Network, outcomes: readonly Outcome[]): Promise<StepTimes | null> {
  if (!model.parameters().some(({ trainable }) => trainable)) return null
  const samples = outcomes.slice(0, defaultBatchSize).map(({ sample }) => sample)
  const images = await Promise.all(samples.map(({ source, name }) => decodeImage(source, name)))
  return measureStep(
    model,
    images,
    samples.map(({ label }) => label),
  )
}

function isAmongFive({ sample, probabilities }: Outcome): boolean {
  return mostLikely(probabilities).slice(0, 5).includes(sample.label)
}
