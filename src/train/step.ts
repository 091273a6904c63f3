import { crossEntropy } from '../autograd/functions.ts'
import { clipGradNorm, scaleGradients } from '../optim/clip.ts'
import { markNonFinite } from '../optim/health.ts'
import type { Batch, BatchSource } from './batches.ts'
import type { Checkpoint, EpochPart } from './checkpoint.ts'
import { type MixedBatch, mixup } from './recipe/mixup.ts'
import type { StepRates } from './recipe/rates.ts'
import type { Session } from './session.ts'

/** What comes back from the device about a batch. */
export interface StepValues {
  readonly loss: number
  readonly logits: Float32Array
  /** The gradients' norm, where this batch completed a step and they are clipped. */
  readonly norm: number | null
}

/** A batch that was handed to the device. What the network was given is freed already. */
export interface BatchInFlight {
  readonly targets: Int32Array
  /** How many places of the order are behind it. */
  readonly read: number
  /** Which training pass it was. */
  readonly pass: number
  /** Whether a step was made after it, and how many the epoch then had. */
  readonly complete: boolean
  readonly steps: number
  /** The learning rate of the head's group. */
  readonly lr: number
  readonly values: () => Promise<StepValues>
  /** The state after its step, where it was asked for. */
  readonly state: ((part: EpochPart | null) => Promise<Checkpoint>) | null
}

/** What the network is given of a batch in a training pass: the batch itself, or its mixture. */
export function givenTo(
  { data, settings }: Session,
  batch: Batch,
  pass: number,
): MixedBatch | Batch {
  return settings.mixup === undefined
    ? batch
    : mixup(batch, data.classes.length, settings.mixup, settings.seed, pass)
}

/** Makes steps of batches: one of each, or of several whose gradients add up. */
export class Stepper {
  readonly #session: Session
  readonly #from: number
  readonly #rates: (step: number) => StepRates
  #steps: number
  #batches = 0
  #mass = 0

  /**
   * @param rates what a step is taken with
   * @param steps made already
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

  /** Whether the next batch begins a step. */
  get between(): boolean {
    return this.#batches === 0
  }

  /** Steps made. */
  get steps(): number {
    return this.#steps
  }

  /**
   * Encodes one batch, and a step where it completes one, hands all over in one submit, and
   * disposes of the batch.
   * @param wantsState whether to read the state back, should it complete a step
   */
  take(batch: Batch, wantsState: boolean): BatchInFlight {
    const { model, settings, classWeights, health } = this.#session
    const { engine } = model
    const pass = model.passes
    const given = givenTo(this.#session, batch, pass)
    const logits = model.logits(given.x, { training: true, from: this.#from })
    const { labelSmoothing, accumulate } = settings
    const loss = crossEntropy(logits, given.targets, {
      labelSmoothing,
      ...(classWeights ? { weight: classWeights } : {}),
    })
    const collect = engine.readLater([loss, logits])
    this.#backward(loss, batch, given !== batch)
    markNonFinite(engine.gpu, loss.buffer, health.buffer)
    loss.dispose()
    const lr = this.#rates(this.#steps).rates.at(-1) ?? 0
    const complete = ++this.#batches === accumulate
    const norm = complete ? this.#step() : null
    const state = complete && wantsState ? this.#session.later() : null
    engine.gpu.submit()
    for (const { x } of [given, batch]) x.dispose()
    const values = async (): Promise<StepValues> => {
      const [[value, rows], length] = await Promise.all([collect(), norm?.()])
      return {
        loss: value?.[0] ?? Number.NaN,
        logits: rows ?? new Float32Array(0),
        norm: length?.[0]?.[0] ?? null,
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

  /** A step of the batches that are left over at the end of an epoch. */
  flush(): void {
    if (this.#batches === 0) return
    this.#step()
    this.#session.model.engine.gpu.submit()
  }

  /**
   * Gradients of batches add up to that of the mean over all their images, each by its share of a
   * full step.
   */
  #backward(loss: ReturnType<typeof crossEntropy>, { targets }: Batch, soft: boolean): void {
    const { settings, classWeights } = this.#session
    if (settings.accumulate === 1) {
      loss.backward()
      return
    }
    // What a mean divided by: crossEntropy's weights count for classes, not for probabilities.
    const mass =
      classWeights && !soft
        ? targets.reduce((sum, target) => sum + (classWeights[target] ?? 1), 0)
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

  /** Encodes the optimizer's step. Returns how to collect the norm, where gradients are clipped. */
  #step(): (() => Promise<Float32Array[]>) | null {
    const { model, optimizer, averages, settings, health, norm } = this.#session
    const { engine } = model
    const { rates, momentum } = this.#rates(this.#steps)
    for (const [i, group] of optimizer.groups.entries()) group.lr = rates[i] ?? 0
    if (momentum !== null) optimizer.momentum = momentum
    if (settings.accumulate > 1 && this.#mass !== this.#fullMass) {
      const factor = engine.gpu.upload(Float32Array.of(this.#fullMass / this.#mass))
      scaleGradients(engine.gpu, optimizer.parameters, factor)
      factor.release()
    }
    let collect: (() => Promise<Float32Array[]>) | null = null
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
