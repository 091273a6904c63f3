import {
  DataError,
  DeviceLostError,
  KernelError,
  OutOfMemoryError,
  UsageError,
} from '../base/errors.ts'
import { option, optionText } from '../base/optionText.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import { type Checkpoint, readCheckpoint, readEpochEnd } from './checkpoint.ts'
import { trainEpoch } from './epoch.ts'
import { checkClasses, evaluateSource } from './evaluate.ts'
import type { EpochResult } from './events.ts'
import type { FitOptions } from './fitOptions.ts'
import { type MemorySettings, requireMemory } from './memory.ts'
import { ranksNothing } from './options/conditions.ts'
import type { FitSettings } from './options/defaults.ts'
import { decisiveOptions, resolveOptions } from './options/resolve.ts'
import { outOfPatience } from './recipe/bestEpoch.ts'
import { Session } from './session.ts'
import { Snapshots } from './snapshots.ts'

/*
 * Who owns what while `fit` runs:
 *
 *     fit                the loop over epochs; makes the Session and the Snapshots, and at the end
 *                        disposes of the Session and puts the final weights into the network
 *     ├─ Session         on the GPU: the optimizer's state, the average of the weights (ema), the
 *     │                  two small tensors `health` and `norm`; on the host: finished epochs, the
 *     │                  progress within the current one (`part`), the best epoch's weights. It
 *     │                  opens and closes the two sources of each stage (gradual unfreezing)
 *     │   ├─ ImageSource   decodes images for each batch; holds a PixelCache at most
 *     │   └─ StoredSource  runs frozen layers once for each image; owns FeatureRows, which hold the
 *     │                    outputs in memory, or in a FeatureTable of the cache on disk
 *     ├─ Snapshots       copies of the state on the host (Checkpoint): the newest one and that of
 *     │                  the last finished epoch; writes both to the checkpoint folder
 *     ├─ DeviceRecovery  after a lost device: opens another, restores the Session from Snapshots
 *     └─ trainEpoch      one epoch: asks the source for batches, in the order of seed and epoch
 *         ├─ Stepper       encodes forward, backward and the optimizer's step of a batch; owns the
 *         │                count of batches and steps, and disposes of each batch's inputs
 *         └─ ReadbackQueue losses and logits on their way back to the host, oldest first
 *
 * The weights themselves belong to the network (Parameter), which outlives the training. Gradients
 * belong to their parameters and are freed after each step. The position in an epoch is written in
 * one place, `Session.part`, when the values of a complete step have arrived.
 */

/** The result of `fit`. */
export interface FitResult {
  readonly epochs: readonly EpochResult[]
  /** The epoch whose weights the network has now; 0 if none was finished. */
  readonly keptEpoch: number
  /** Whether `signal` stopped training before the last epoch. */
  readonly aborted: boolean
  /** Whether `patience` ran out before the last epoch. */
  readonly stoppedEarly: boolean
  /** Training images that could not be decoded. */
  readonly skipped: number
  /** Batches of an unfinished epoch that are saved in a checkpoint. */
  readonly keptBatches: number
  /** Batches trained on, including those of an epoch that was cut short. */
  readonly steps: number
  /** How many times the GPU device was lost and replaced. */
  readonly recovered: number
}

/** How often a device may be lost in a row without any progress in between. */
const maxLossesInARow = 3

/**
 * Trains the parameters whose `trainable` flag is set. Frozen layers at the start of the network
 * run once for each image, in the first epoch, and their outputs are stored, unless images are
 * augmented or `cache` is off. The same seed on the same adapter gives the same bytes, even if
 * training was interrupted and resumed.
 *
 * If the GPU device is lost (a driver reset, a laptop's sleep), another one is opened and training
 * continues from the newest saved state, at most `checkpointSeconds` old. The contents of the
 * engine's other tensors are lost.
 * @throws UsageError for options that do not fit, or when nothing is trainable
 * @throws NonFiniteError when the loss is NaN or infinite. The network then has the weights of the
 * last finished epoch; in the first epoch, the weights from before that step
 * @throws OutOfMemoryError before anything is allocated, when training cannot fit; it names a batch
 * size that fits
 * @throws DeviceLostError when the device is lost repeatedly, or no other one can be opened
 * @throws GraftError with code `write` when a checkpoint cannot be written at the end of an epoch
 * or after an abort
 * @example
 * const run = await fit(model, data, { epochs: 40, batchSize: 32, lr: 1e-3 })
 * console.log(run.epochs.at(-1)?.valAccuracy)
 * @example
 * // fastai's fine_tune: one epoch of the head alone, then everything, with the first layers at a
 * // hundredth of the head's learning rate
 * await fit(model, data, { epochs: 6, lr: 2e-3, schedule: 'one-cycle', headEpochs: 1 })
 */
export async function fit(
  model: Network,
  data: ImageDataset,
  options: FitOptions,
): Promise<FitResult> {
  const settings = resolveOptions(options)
  checkClasses(model, data)
  const { signal, epochs, patience, monitor, minDelta } = settings
  model.engine.gpu.trim() // buffers of layers that were cut off, and of loading
  settings.onEvent?.({ type: 'memory', ...requireMemory(model, memoryOptions(settings, data)) })
  const session = new Session(model, data, settings)
  const patient = () =>
    patience === undefined || !outOfPatience(session.epochs, patience, monitor, minDelta)
  let snapshots: Snapshots | null = null
  let [batches, recovered, failed] = [0, 0, true]
  try {
    await session.readFixed()
    snapshots = await start(session)
    const deadline = performance.now() + 1000 * (settings.maxSeconds ?? Number.POSITIVE_INFINITY)
    const recovery = new DeviceRecovery(session, snapshots)
    if (session.epochs.length < epochs) settings.onEvent?.({ type: 'agenda', ...session.agenda() })
    while (session.epochs.length < epochs && patient() && !signal?.aborted) {
      try {
        const done = await oneEpoch(session, snapshots, deadline)
        batches += done.batches
        if (done.over) break
      } catch (error) {
        // After an abort the image decoder ends with the abort's own reason.
        if (signal?.aborted && error === signal.reason) break
        await recovery.recover(error)
        recovered++
      }
    }
    if (signal?.aborted) await writePart(session, snapshots)
    else if (settings.keep === 'best' || session.averages) session.deploy(snapshots.newest)
    failed = false
  } finally {
    await snapshots?.idle()
    const epochEnd = snapshots?.epochEnd
    const back = signal?.aborted || (failed && epochEnd?.epochs.length)
    if (epochEnd && back && !model.engine.gpu.lost) session.deploy(epochEnd)
    model.classNames = data.classes
    await session.dispose()
  }
  return {
    epochs: session.epochs,
    keptEpoch: settings.keep === 'best' ? (session.best?.epoch ?? 0) : session.epochs.length,
    aborted: signal?.aborted ?? false,
    stoppedEarly: !signal?.aborted && session.epochs.length < epochs && !patient(),
    skipped: session.skipped.size,
    keptBatches: settings.checkpoint ? (session.part?.batches ?? 0) : 0,
    steps: batches,
    recovered,
  }
}

/** The training's options as the memory plan takes them. */
function memoryOptions(settings: FitSettings, data: ImageDataset): MemorySettings {
  const cache = settings.cache && !settings.augment && settings.mixup === undefined
  return { ...settings, cache, pictures: Math.max(1, data.train.length) }
}

/** Resumes from the folder's checkpoint if that was asked for and there is one. */
async function start(session: Session): Promise<Snapshots> {
  const { settings } = session
  const { checkpoint: folder, resume, onResume, onEvent } = settings
  const { checkpointFiles: files = session.model.engine.host.files } = settings
  const initial = await session.readState()
  const remark = (message: string) => onEvent?.({ type: 'remark', message })
  const saved = folder && resume ? await readCheckpoint(files, folder, remark) : null
  if (!folder || !saved) return new Snapshots(files, settings, initial, initial, false)
  requireSameOptions(settings, saved.options)
  session.restore(saved)
  onResume?.(saved.epochs, saved.part?.batches ?? 0)
  let epochEnd: Checkpoint | null = saved
  if (saved.part && saved.epochs.length === 0) epochEnd = initial
  // The end of an older epoch is of no use: its weights are not those of the last finished one.
  else if (saved.part) epochEnd = await readEpochEnd(files, folder, saved.epochs.length)
  return new Snapshots(files, settings, saved, epochEnd, true)
}

function requireSameOptions(
  settings: FitSettings,
  before: Readonly<Record<string, unknown>>,
): void {
  const now = decisiveOptions(settings)
  for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
    if (name === 'monitor' && ranksNothing(settings)) continue // its default has changed
    const [then, here] = [JSON.stringify(before[name]), JSON.stringify(now[name])]
    if (then !== here)
      throw new UsageError(
        optionText`the checkpoint in ${settings.checkpoint ?? ''} was written with ${option(name)}
          ${then ?? 'left out'}, and now it is ${here ?? 'left out'}: give the same, or leave
          ${option('resume')} out to start over`,
      )
  }
}

/** Trains and validates one epoch, or the rest of one. */
async function oneEpoch(
  session: Session,
  snapshots: Snapshots,
  deadline: number,
): Promise<{ readonly batches: number; readonly over: boolean }> {
  const { model, data, settings, epoch } = session
  const { signal, onEvent, batchSize } = settings
  const sources = await session.open()
  const end = settings.wholeEpochs ? Number.POSITIVE_INFINITY : deadline
  const trained = await trainEpoch(session, sources.train, snapshots, end)
  if (!trained) return { batches: 0, over: true }
  const validating = performance.now()
  const what = `training stopped in the validation of epoch ${epoch}`
  const validation = await session.withAveragedWeights(() =>
    evaluateSource(model, sources.val, data.classes, batchSize, {
      signal,
      what,
      onProgress: (done) => onEvent?.({ type: 'validate', epoch, done, total: sources.val.count }),
    }),
  )
  if (signal?.aborted) return { batches: trained.batches, over: true }
  if (validation.count === 0)
    throw new DataError(`${data.root} has no image to validate with that can be decoded`)
  const { loss: trainLoss, accuracy: trainAccuracy, lr } = trained
  const { loss: valLoss, accuracy: valAccuracy } = validation
  const seconds = trained.seconds + (performance.now() - validating) / 1000
  const result: EpochResult = { epoch, trainLoss, trainAccuracy, valLoss, valAccuracy, seconds, lr }
  const checkpoint = session.finishEpoch(result, await session.readState())
  // Resuming after an epoch that was cut short could not give the same bytes.
  await snapshots.endEpoch(checkpoint, !trained.cutShort)
  onEvent?.({ type: 'epoch', ...result })
  return { batches: trained.batches, over: trained.cutShort || performance.now() >= deadline }
}

/** After an abort: saves the steps of the unfinished epoch. */
async function writePart(session: Session, snapshots: Snapshots): Promise<void> {
  await snapshots.idle()
  if (session.part && session.part.batches > 0) await snapshots.write(await session.readState())
}

/** Milliseconds to wait for the notice of a lost device: it may come after the first error. */
const noticeDelay = 500

function mayBeLostDevice(error: unknown): boolean {
  return (
    error instanceof DeviceLostError ||
    error instanceof KernelError ||
    error instanceof OutOfMemoryError
  )
}

/** Replaces a device that was lost. */
class DeviceRecovery {
  readonly #session: Session
  readonly #snapshots: Snapshots
  /** Where training stood after the last loss, and how many losses in a row came there. */
  #lastPosition = ''
  #lossesInARow = 0

  constructor(session: Session, snapshots: Snapshots) {
    this.#session = session
    this.#snapshots = snapshots
  }

  /**
   * If an error came from a lost device, returns to the newest saved state on another device; else
   * throws the error.
   */
  async recover(error: unknown): Promise<void> {
    const { model, settings, epochs, part } = this.#session
    const { engine } = model
    if (mayBeLostDevice(error))
      await Promise.race([
        engine.gpu.device.lost,
        new Promise((resolve) => setTimeout(resolve, noticeDelay)),
      ])
    const { lost } = engine.gpu
    if (!lost || settings.signal?.aborted) throw error
    await this.#snapshots.idle()
    const { newest } = this.#snapshots
    const [epoch, step] = [newest.epochs.length + 1, newest.part?.batches ?? 0]
    const position = `${epoch} ${step}`
    this.#lossesInARow = position === this.#lastPosition ? this.#lossesInARow + 1 : 1
    this.#lastPosition = position
    if (this.#lossesInARow > maxLossesInARow) throw lost
    try {
      await engine.reopen()
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      const message = `${lost.message}; no other device could be opened: ${why}`
      throw new DeviceLostError(message, { cause })
    }
    const reached = epochs.length === newest.epochs.length ? (part?.batches ?? 0) : 0
    this.#session.revive(newest)
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
