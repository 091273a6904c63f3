import { crossEntropy } from '../autograd/functions.ts'
import { at } from '../base/at.ts'
import { clipGradNorm, scaleGradients } from '../optim/clip.ts'
import { markNonFinite } from '../optim/health.ts'
import type { Batch, BatchSource } from './batches.ts'
import type { Checkpoint, EpochPart } from './checkpoint.ts'
import { type MixedBatch, mixup } from './recipe/mixup.ts'
import type { StepRates } from './recipe/rates.ts'
import type { Session } from './session.ts'

/** Values of a batch that are read back from the device. */
export interface StepValues {
  readonly loss: number
  readonly logits: Float32Array
  /** The norm of the gradients, if this batch completed a step and gradients are clipped. */
  readonly norm: number | null
}

/** A batch that was submitted to the device. Its inputs are already released. */
export interface BatchInFlight {
  readonly targets: Int32Array
  /** How many positions of the order were read up to the end of this batch. */
  readonly read: number
  /** The number of its training pass. */
  readonly pass: number
  /** Whether an optimizer step followed it, and how many the epoch has had by then. */
  readonly complete: boolean
  readonly steps: number
  /** The learning rate of the head's group. */
  readonly lr: number
  readonly values: () => Promise<StepValues>
  /** Reads the state after its step, if that was asked for. */
  readonly state: ((part: EpochPart | null) => Promise<Checkpoint>) | null
}

/** The inputs and targets of a training pass: the batch itself, or its images mixed by mixup. */
export function trainingInput(
  { data, settings }: Session,
  batch: Batch,
  pass: number,
): MixedBatch | Batch {
  return settings.mixup === undefined
    ? batch
    : mixup(batch, data.classes.length, settings.mixup, settings.seed, pass)
}

/** Makes optimizer steps from batches: one per batch, or one per `accumulate` batches. */
export class Stepper {
  readonly #session: Session
  readonly #from: number
  readonly #rates: (step: number) => StepRates
  #steps: number
  #batches = 0
  #mass = 0

  /**
   * @param rates learning rates and momentum by the number of the step
   * @param steps already made in this epoch
   */
  constructor(
    session: Session,
    source: BatchSource,
    rates: (step: number) => StepRates,
    steps = 0,
  ) {
    this.#session = session
    this.#from = source.from
    this.#rates = rates
    this.#steps = steps
  }

  /** Whether the next batch starts a new step. */
  get between(): boolean {
    return this.#batches === 0
  }

  /** Steps made in this epoch. */
  get steps(): number {
    return this.#steps
  }

  /**
   * Encodes one batch, and a step if the batch completes one, submits all of it at once, and
   * disposes of the batch.
   * @param wantsState whether to read the state back if the batch completes a step
   */
  take(batch: Batch, wantsState: boolean): BatchInFlight {
    const { model, settings, classWeights, health } = this.#session
    const { engine } = model
    const pass = model.passes
    const input = trainingInput(this.#session, batch, pass)
    const logits = model.logits(input.x, { training: true, from: this.#from })
    const { labelSmoothing, accumulate } = settings
    const loss = crossEntropy(logits, input.targets, {
      labelSmoothing,
      ...(classWeights ? { weight: classWeights } : {}),
    })
    const collect = engine.readLater([loss, logits])
    this.#backward(loss, batch, input !== batch)
    markNonFinite(engine.gpu, loss.buffer, health.buffer)
    loss.dispose()
    const { rates } = this.#rates(this.#steps)
    const lr = at(rates, rates.length - 1)
    const complete = ++this.#batches === accumulate
    const norm = complete ? this.#step() : null
    const state = complete && wantsState ? this.#session.readStateLater() : null
    engine.gpu.submit()
    for (const { x } of [input, batch]) x.dispose()
    const values = async (): Promise<StepValues> => {
      const [[lossValue, rows], norms] = await Promise.all([collect(), norm?.()])
      return {
        loss: at(lossValue, 0),
        logits: rows,
        norm: norms ? at(norms[0], 0) : null,
      }
    }
    return {
      targets: batch.targets,
      read: batch.read,
      pass,
      complete,
      steps: this.#steps,
      lr,
      values,
      state,
    }
  }

  /** Makes a step from the batches that are left over at the end of an epoch. */
  flush(): void {
    if (this.#batches === 0) return
    this.#step()
    this.#session.model.engine.gpu.submit()
  }

  /**
   * Adds a batch's gradients, scaled by the batch's share of a full step: together they are the
   * gradient of the mean over all images of the step.
   * @param soft whether targets are probabilities (mixup)
   */
  #backward(loss: ReturnType<typeof crossEntropy>, { targets }: Batch, soft: boolean): void {
    const { settings, classWeights } = this.#session
    if (settings.accumulate === 1) {
      loss.backward()
      return
    }
    // The divisor of crossEntropy's mean. Class weights enter it for labels, not for probabilities.
    const mass =
      classWeights && !soft
        ? targets.reduce((sum, target) => sum + at(classWeights, target), 0)
        : targets.length
    this.#mass += mass
    const share = loss.engine.tensor(Float32Array.of(mass / this.#fullMass), [])
    loss.backward(share)
    share.dispose()
  }

  get #fullMass(): number {
    const { batchSize, accumulate } = this.#session.settings
    return batchSize * accumulate
  }

  /** Encodes the optimizer's step. Returns how to read the norm back if gradients are clipped. */
  #step(): (() => Promise<[Float32Array]>) | null {
    const { model, optimizer, averages, settings, health, norm } = this.#session
    const { engine } = model
    const { rates, momentum } = this.#rates(this.#steps)
    for (const [i, group] of optimizer.groups.entries()) group.lr = at(rates, i)
    if (momentum !== null) optimizer.momentum = momentum
    if (settings.accumulate > 1 && this.#mass !== this.#fullMass) {
      const factor = engine.gpu.upload(Float32Array.of(this.#fullMass / this.#mass))
      scaleGradients(engine.gpu, optimizer.parameters, factor)
      factor.release()
    }
    let collect: (() => Promise<[Float32Array]>) | null = null
    if (settings.clip !== undefined) {
      clipGradNorm(engine.gpu, optimizer.parameters, settings.clip, norm.buffer)
      markNonFinite(engine.gpu, norm.buffer, health.buffer)
      collect = engine.readLater([norm])
    }
    optimizer.step({ guard: health })
    optimizer.zeroGrad()
    averages?.update()
    this.#batches = 0
    this.#mass = 0
    this.#steps++
    return collect
  }
}
