import { DataError, NonFiniteError } from '../base/errors.ts'
import { Random } from '../base/random.ts'
import { type Batch, type BatchSource, readAgain } from './batches.ts'
import type { EpochPart } from './checkpoint.ts'
import { diagnose } from './diagnose.ts'
import { countCorrect } from './metrics.ts'
import { ReadbackQueue } from './readbackQueue.ts'
import type { Session } from './session.ts'
import type { Snapshots } from './snapshots.ts'
import { type BatchInFlight, Stepper, type StepValues, trainingInput } from './step.ts'

/** The order of an epoch's images, which depends on the seed and the epoch only. */
export function epochOrder(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  new Random(seed, epoch).shuffle(order)
  return order
}

/** The result of training for one epoch. */
export interface TrainedEpoch {
  /** Mean over the images seen. */
  readonly loss: number
  readonly accuracy: number
  readonly seconds: number
  /** The head's learning rate in the last step. */
  readonly lr: number
  /** Batches trained on in this process. */
  readonly batches: number
  /** Whether the deadline, or the number of steps, ended it before its last batch. */
  readonly cutShort: boolean
}

/**
 * Trains on all images once, or on the rest of an interrupted epoch; at least one batch is used.
 * `session.part` follows from step to step.
 * @param deadline when to stop, on the clock of `performance.now`
 * @param steps how many steps to make at the most
 * @returns null if it was aborted
 */
export async function trainEpoch(
  session: Session,
  source: BatchSource,
  snapshots: Snapshots,
  deadline: number,
  steps = Number.POSITIVE_INFINITY,
): Promise<TrainedEpoch | null> {
  const { settings, epoch } = session
  const { signal, batchSize, seed } = settings
  const started = performance.now() - 1000 * (session.part?.seconds ?? 0)
  const order = epochOrder(source.count, seed, epoch).subarray(session.part?.position ?? 0)
  const run = new EpochRun(session, source, order, snapshots, started)
  const before = run.part.batches
  const lastStep = run.steps + steps
  let over = false
  try {
    for await (const batch of source.batches(order, batchSize, epoch)) {
      if (signal?.aborted) {
        batch.x.dispose()
        break
      }
      over = performance.now() >= deadline
      await run.take(batch)
      over ||= run.steps >= lastStep
      if (over) break
    }
    run.flush()
    await run.drain()
  } catch (error) {
    // After an abort the image decoder ends with the abort's own reason.
    if (!signal?.aborted) throw error
    await run.drain()
  }
  if (signal?.aborted) return null
  if (run.part.count === 0)
    throw new DataError(`${session.data.root} has no image to train on that can be decoded`)
  const { loss, correct, count, position, batches, lr } = run.part
  return {
    loss: loss / count,
    accuracy: correct / count,
    seconds: run.seconds,
    lr,
    batches: batches - before,
    cutShort: over && position < source.count,
  }
}

/** The batches of one epoch on their way through the device. */
class EpochRun {
  readonly #session: Session
  readonly #source: BatchSource
  readonly #order: Uint32Array
  readonly #snapshots: Snapshots
  readonly #stepper: Stepper
  readonly #started: number
  readonly #start: number
  readonly #readbacks = new ReadbackQueue<StepValues, BatchInFlight>((one, values) =>
    this.#finish(one, values),
  )
  /** Whether a state is being read back that the snapshots have not been given yet. */
  #statePending = false
  /** Progress, as far as values have been read back. */
  part: EpochPart

  /** @param order the rest of the epoch's order */
  constructor(
    session: Session,
    source: BatchSource,
    order: Uint32Array,
    snapshots: Snapshots,
    started: number,
  ) {
    this.#session = session
    this.#source = source
    this.#order = order
    this.#snapshots = snapshots
    this.#started = started
    this.part = session.part ?? {
      position: 0,
      batches: 0,
      steps: 0,
      passes: session.model.passes,
      loss: 0,
      correct: 0,
      count: 0,
      seconds: 0,
      lr: 0,
    }
    this.#start = this.part.position
    this.#stepper = new Stepper(session, source, (step) => session.ratesAt(step), this.part.steps)
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000
  }

  /** Steps submitted in this epoch. */
  get steps(): number {
    return this.#stepper.steps
  }

  /** Submits a batch, and waits for earlier ones if too many are on their way. */
  async take(batch: Batch): Promise<void> {
    const one = this.#stepper.take(batch, this.#snapshots.due && !this.#statePending)
    if (one.state) this.#statePending = true
    await this.#readbacks.add(one)
  }

  /** Makes a last step from batches that are left over. */
  flush(): void {
    if (!this.#session.settings.signal?.aborted) this.#stepper.flush()
  }

  /** Waits for all values. */
  async drain(): Promise<void> {
    await this.#readbacks.drain()
    if (this.#stepper.between && this.part.batches > 0)
      this.#session.part = { ...this.part, steps: this.#stepper.steps }
  }

  async #finish(one: BatchInFlight, { loss, logits, norm }: StepValues): Promise<void> {
    const { settings, epoch } = this.#session
    const what = `training stopped in epoch ${epoch}, step ${this.part.batches + 1}`
    if (!Number.isFinite(loss)) throw await this.#diagnose(one, what)
    if (norm !== null && !Number.isFinite(norm))
      throw new NonFiniteError(
        'the norm of the gradients',
        `${what}: the norm of the gradients is not finite; lower the learning rate, ` +
          'or check the data',
      )
    const { targets, read } = one
    const { part } = this
    this.part = {
      position: this.#start + read,
      batches: part.batches + 1,
      steps: one.steps,
      passes: one.pass + 1,
      loss: part.loss + loss * targets.length,
      correct: part.correct + countCorrect(logits, targets),
      count: part.count + targets.length,
      seconds: this.seconds,
      lr: one.lr,
    }
    if (one.complete) {
      this.#session.part = this.part
      const { state } = one
      const now = this.part
      if (state) {
        this.#snapshots.take(() => state(now))
        this.#statePending = false
      }
    }
    const { batches, count, correct } = this.part
    const steps = Math.ceil(this.#source.count / settings.batchSize)
    settings.onEvent?.({
      type: 'step',
      epoch,
      step: batches,
      steps,
      loss,
      accuracy: correct / count,
      lr: one.lr,
      ...(norm === null ? {} : { norm }),
    })
  }

  /** Finds the first tensor of a batch's pass that is not finite. */
  #diagnose({ read, pass }: BatchInFlight, what: string): Promise<NonFiniteError> {
    const { settings, epoch, model } = this.#session
    const positions = this.#order.subarray(this.part.position - this.#start, read)
    return readAgain(this.#source, positions, settings.batchSize, epoch, (batch) => {
      const { x } = trainingInput(this.#session, batch, pass)
      const incident = { batch: { x, targets: batch.targets }, from: this.#source.from, pass, what }
      return diagnose(model, incident).finally(() => x.dispose())
    })
  }
}
