import {
  DataError,
  DeviceLostError,
  KernelError,
  OutOfMemoryError,
  UsageError,
} from '../base/errors.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import { readCheckpoint, readEpochEnd } from './checkpoint.ts'
import { trainEpoch } from './epoch.ts'
import { checkClasses, evaluateSource } from './evaluate.ts'
import type { EpochResult } from './events.ts'
import { decisiveOptions, type FitOptions, resolveOptions, type Settings } from './fitOptions.ts'
import { type MemoryPlanOptions, requireMemory } from './memory.ts'
import { outOfPatience } from './recipe/bestEpoch.ts'
import { Session } from './session.ts'
import { Snapshots } from './snapshots.ts'

/** What `fit` came to. */
export interface FitResult {
  readonly epochs: readonly EpochResult[]
  /** The epoch whose weights the network has now; 0 where none was finished. */
  readonly keptEpoch: number
  /** Whether `signal` ended it before the last epoch. */
  readonly aborted: boolean
  /** Whether `patience` ran out before the last epoch. */
  readonly stoppedEarly: boolean
  /** Training images that could not be decoded. */
  readonly skipped: number
  /** Batches of an unfinished epoch that a checkpoint keeps. */
  readonly keptBatches: number
  /** Batches trained on, those of an epoch that was cut short included. */
  readonly steps: number
  /** How many times the GPU device was lost and another one took over. */
  readonly recovered: number
}

/** Times that a device may be lost without a batch trained in between. */
const patienceWithDevices = 3

/**
 * Trains the parameters whose `trainable` flag is set. Frozen layers in front run once for each
 * image, in the first epoch, and their outputs are kept, unless images are augmented or `cache` is
 * off. The same seed on the same adapter gives the same bits, also when it was interrupted and
 * resumed.
 *
 * A GPU device that is lost (a driver reset, a laptop's sleep) is replaced, and training goes on
 * from the newest state within `checkpointSeconds`; what other tensors of the engine held is gone
 * then.
 * @throws UsageError for options that do not fit, or when nothing is trainable
 * @throws NonFiniteError when the loss is NaN or infinite; the weights are then those of the last
 * finished epoch, in the first one those from before that step
 * @throws OutOfMemoryError before anything is allocated, when training cannot fit; it names the
 * batch size that would
 * @throws DeviceLostError when the device is lost again and again, or no other one can be opened
 * @throws GraftError with code `write` when a checkpoint cannot be written at the end of an epoch,
 * or after an abort
 * @example
 * const run = await fit(model, data, { epochs: 40, batchSize: 32, lr: 1e-3 })
 * console.log(run.epochs.at(-1)?.valAccuracy)
 * @example
 * // fastai's fine_tune: the head for an epoch, then everything, early layers at a hundredth of the
 * head's rate await fit(model, data, { epochs: 6, lr: 2e-3, schedule: 'one-cycle', headEpochs: 1 })
 */
export async function fit(
  model: Network,
  data: ImageDataset,
  options: FitOptions,
): Promise<FitResult> {
  const settings = resolveOptions(options)
  checkClasses(model, data)
  const { signal, epochs, patience, monitor, minDelta } = settings
  model.engine.gpu.trim() // whatever was cut off, and what loading took
  settings.onEvent?.({ type: 'memory', ...requireMemory(model, memoryOptions(settings, data)) })
  const session = new Session(model, data, settings)
  const patient = () =>
    patience === undefined || !outOfPatience(session.epochs, patience, monitor, minDelta)
  let snapshots: Snapshots | null = null
  const tally = { batches: 0, recovered: 0 }
  try {
    await session.keepFixed()
    snapshots = await start(session)
    const deadline = performance.now() + 1000 * (settings.maxSeconds ?? Number.POSITIVE_INFINITY)
    const watch = new DeviceWatch(session, snapshots)
    while (session.epochs.length < epochs && patient() && !signal?.aborted) {
      try {
        const done = await oneEpoch(session, snapshots, deadline)
        tally.batches += done.batches
        if (done.over) break
      } catch (error) {
        // What reads images ends with an abort's own reason.
        if (signal?.aborted && error === signal.reason) break
        await watch.recover(error)
        tally.recovered++
      }
    }
    if (signal?.aborted) await keepPart(session, snapshots)
    else if (session.settings.keep === 'best' || session.averages) session.deploy(snapshots.newest)
  } catch (error) {
    if (snapshots?.epochEnd?.epochs.length && !model.engine.gpu.lost)
      session.deploy(snapshots.epochEnd)
    throw error
  } finally {
    await snapshots?.idle()
    if (signal?.aborted && snapshots?.epochEnd && !model.engine.gpu.lost)
      session.deploy(snapshots.epochEnd)
    model.classNames = data.classes
    await session.dispose()
  }
  const kept = settings.keep === 'best' ? (session.best?.epoch ?? 0) : session.epochs.length
  return {
    ...{
      epochs: session.epochs,
      keptEpoch: kept,
      aborted: signal?.aborted ?? false,
      skipped: session.skipped.size,
    },
    stoppedEarly: !signal?.aborted && session.epochs.length < epochs && !patient(),
    ...{
      keptBatches: settings.checkpoint ? (session.part?.batches ?? 0) : 0,
      steps: tally.batches,
      recovered: tally.recovered,
    },
  }
}

/** What a plan of memory has to know. */
function memoryOptions(settings: Settings, data: ImageDataset): MemoryPlanOptions {
  const cache = settings.cache && !settings.augment && settings.mixup === undefined
  return { ...settings, cache, pictures: Math.max(1, data.train.length) }
}

/** Goes on from the folder's checkpoint where that is wanted and there is one. */
async function start(session: Session): Promise<Snapshots> {
  const { settings } = session
  const { files } = session.model.engine.host
  const { checkpoint: folder, resume, onResume, onEvent } = settings
  const initial = await session.now()
  const saved =
    folder && resume
      ? await readCheckpoint(files, folder, (message) => onEvent?.({ type: 'remark', message }))
      : null
  if (!saved) return new Snapshots(files, settings, initial, initial, false)
  requireSameOptions(settings, saved.options)
  session.restore(saved)
  onResume?.(saved.epochs, saved.part?.batches ?? 0)
  const epochEnd =
    saved.part === null
      ? saved
      : saved.epochs.length === 0
        ? initial
        : await readEpochEnd(files, folder ?? '')
  return new Snapshots(
    files,
    settings,
    saved,
    epochEnd?.epochs.length === saved.epochs.length ? epochEnd : null,
    true,
  )
}

function requireSameOptions(settings: Settings, before: Readonly<Record<string, unknown>>): void {
  const now = decisiveOptions(settings)
  for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const [then, here] = [JSON.stringify(before[name]), JSON.stringify(now[name])]
    if (then !== here)
      throw new UsageError(
        `the checkpoint in ${settings.checkpoint} was written with ${name} ${then ?? 'left out'}, and now it is ${here ?? 'left out'}: give the same, or leave resume out to start afresh`,
      )
  }
}

/** Trains and validates one epoch, or what is left of one. */
async function oneEpoch(
  session: Session,
  snapshots: Snapshots,
  deadline: number,
): Promise<{ readonly batches: number; readonly over: boolean }> {
  const { model, data, settings, epoch } = session
  const { signal, onEvent, batchSize } = settings
  const sources = await session.open()
  const trained = await trainEpoch(session, sources.train, snapshots, deadline)
  if (!trained) return { batches: 0, over: true }
  const validating = performance.now()
  const what = `training stopped in the validation of epoch ${epoch}`
  const validation = await session.averaged(() =>
    evaluateSource(model, sources.val, data.classes, batchSize, { signal, what }),
  )
  if (signal?.aborted) return { batches: trained.batches, over: true }
  if (validation.count === 0)
    throw new DataError(`${data.root} has no image to validate with that can be decoded`)
  const { loss: trainLoss, accuracy: trainAccuracy, lr } = trained
  const { loss: valLoss, accuracy: valAccuracy } = validation
  const seconds = trained.seconds + (performance.now() - validating) / 1000
  const result: EpochResult = { epoch, trainLoss, trainAccuracy, valLoss, valAccuracy, seconds, lr }
  const checkpoint = session.finishEpoch(result, await session.now())
  // An epoch that was cut short is no place to go on from to the same bits.
  await snapshots.endEpoch(checkpoint, !trained.cutShort)
  onEvent?.({ type: 'epoch', ...result })
  return { batches: trained.batches, over: trained.cutShort || performance.now() >= deadline }
}

/** After an abort: the running epoch's steps are not lost either. */
async function keepPart(session: Session, snapshots: Snapshots): Promise<void> {
  await snapshots.idle()
  if (session.part && session.part.batches > 0) await snapshots.write(await session.now())
}

/** Milliseconds in which a lost device says so: its notice may come after the first failure. */
const noticeDelay = 500

function mayComeOfLoss(error: unknown): boolean {
  return (
    error instanceof DeviceLostError ||
    error instanceof KernelError ||
    error instanceof OutOfMemoryError
  )
}

/** Replaces a device that was lost. */
class DeviceWatch {
  readonly #session: Session
  readonly #snapshots: Snapshots
  #lastSeen = ''
  #inVain = 0

  constructor(session: Session, snapshots: Snapshots) {
    this.#session = session
    this.#snapshots = snapshots
  }

  /**
   * Goes back to the newest state on another device, if it was the device that failed; else throws
   * the error.
   */
  async recover(error: unknown): Promise<void> {
    const { model, settings, epochs, part } = this.#session
    const { engine } = model
    if (mayComeOfLoss(error))
      await Promise.race([
        engine.gpu.device.lost,
        new Promise((resolve) => setTimeout(resolve, noticeDelay)),
      ])
    const { lost } = engine.gpu
    if (!lost || settings.signal?.aborted) throw error
    await this.#snapshots.idle()
    const { newest } = this.#snapshots
    const seen = `${newest.epochs.length} ${newest.part?.batches ?? 0}`
    this.#inVain = seen === this.#lastSeen ? this.#inVain + 1 : 1
    this.#lastSeen = seen
    if (this.#inVain > patienceWithDevices) throw lost
    try {
      await engine.reopen()
    } catch (cause) {
      throw new DeviceLostError(
        `${lost.message}; no other device could be opened: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      )
    }
    const reached = epochs.length === newest.epochs.length ? (part?.batches ?? 0) : 0
    this.#session.revive(newest)
    const [epoch, step] = [newest.epochs.length + 1, newest.part?.batches ?? 0]
    settings.onEvent?.({
      type: 'recovered',
      reason: lost.reason,
      adapter: engine.info.adapter,
      epoch,
      step,
      repeated: Math.max(0, reached - step),
    })
  }
}
