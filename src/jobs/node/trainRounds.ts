/**
 * Training by rounds (DiLoCo, Douillard et al. 2023, arXiv:2311.08105): every slot trains by itself
 * on its part of the images for some steps, then all weights are averaged, and the outer optimizer
 * makes a step toward the average; by default it goes all the way.
 */
import { at } from '../../base/at.ts'
import { sha256 } from '../../base/sha256.ts'
import { requireFinite, type StateDict } from '../../base/stateDict.ts'
import type { ImageDataset } from '../../data/dataset.ts'
import type { Network } from '../../nn/network.ts'
import { type OuterResult, OuterStep } from '../../optim/outer.ts'
import { type Store, StoreError } from '../../store/store.ts'
import { epochOrder } from '../../train/epoch.ts'
import { checkClasses, evaluate } from '../../train/evaluate.ts'
import type { EpochResult } from '../../train/events.ts'
import type { FitResult } from '../../train/fit.ts'
import type { FitOptions } from '../../train/fitOptions.ts'
import type { FitSettings } from '../../train/options/defaults.ts'
import { resolveOptions } from '../../train/options/resolve.ts'
import type { RoundOptions } from '../../train/options/rounds.ts'
import { bestEpoch, outOfPatience } from '../../train/recipe/bestEpoch.ts'
import type { Plan } from '../../transfer/scenario.ts'
import { readSafetensors, writeSafetensors } from '../../weights/safetensors.ts'
import { forgetDone, reasonOf } from '../doneMark.ts'
import { canonicalJson } from '../identity.ts'
import { type Job, JobError } from '../job.ts'
import type { Done, JobEvent, Outcome, Runner } from '../runner.ts'
import { meet } from './meeting.ts'
import { dropValues, type ModelReference, putModel, valuesOf } from './models.ts'
import { divide, type Rounds, requireRounds, slotOptions } from './planRounds.ts'
import { outputsOf, type RoundFacts, type RoundTask, readOutput, roundKind } from './round.ts'
import { type RoundRecord, RoundRecords, type SlotState } from './roundRecords.ts'
import { divideAmong, putSlot } from './slots.ts'

/** What is told while a training goes by rounds, beside the events of training. */
export interface RoundEvent {
  readonly type: 'round'
  readonly round: number
  readonly rounds: number
  /** Steps of each slot. */
  readonly steps: number
  readonly slots: number
  /** The slots that did not count, with the reason. */
  readonly dropped: RoundRecord['dropped']
  /** Whether it was found done. */
  readonly found: boolean
}

export interface TrainRoundsOptions extends FitOptions {
  readonly rounds: Omit<RoundOptions, 'rounds'>
  readonly runner: Runner
  readonly work: Store
  /** What `applyScenario` has done to the network. */
  readonly plan: Pick<Plan, 'cut' | 'replace'>
  readonly sameAdapter?: boolean | undefined
  /** Told how far the jobs of a round are, which take so many images together. */
  readonly onJobs?: (
    event: JobEvent,
    of: { readonly round: number; readonly images: number },
  ) => void
  readonly onRound?: (event: RoundEvent) => void
}

/**
 * Trains a network by rounds. A round counts as an epoch in its results: `patience`, `monitor` and
 * `keep` judge rounds. Finished rounds are in the work store: the same call goes on after the last
 * one, and ends with the same bytes.
 * @param model with its `trainable` flags set; its first layer has to train
 * @param data whose images are in a store
 * @param root the address that all of them lie below
 * @throws UsageError for options that have no meaning here
 * @throws JobError if fewer slots than the quorum can be trained
 */
export async function trainRounds(
  model: Network,
  data: ImageDataset,
  root: string,
  options: TrainRoundsOptions,
): Promise<FitResult> {
  const { rounds: given, runner, work, plan, sameAdapter, onJobs, onRound, ...rest } = options
  const settings = resolveOptions(rest)
  checkClasses(model, data)
  requireRounds(model, settings, given)
  model.classNames = data.classes
  const rounds = divide(data, settings, given)
  const frozen = model.parameters().flatMap(({ name, trainable }) => (trainable ? [] : [name]))
  const order = epochOrder(data.train.length, settings.seed, 0)
  const slots: string[] = []
  for (const [i, samples] of divideAmong(data.train, order, rounds.slots).entries()) {
    const own = slotOptions(rest, settings, data, rounds, i)
    slots.push(await putSlot(work, samples, root, { frozen, options: own }))
  }
  const put = async () =>
    putModel(work, writeSafetensors(await model.stateDict()), {
      architecture: model.architecture,
      ...{ cut: plan.cut, replace: plan.replace, seed: settings.seed, classes: data.classes },
    })
  const first = await put()
  const { outer } = rounds
  const name = await sha256(new TextEncoder().encode(canonicalJson({ first, slots, outer })))
  const training = new Training(model, data, settings, rounds, slots, first, {
    records: new RoundRecords(work, name.slice(0, 32)),
    put,
    options,
  })
  return training.run()
}

/** One training, as far as it has come. */
class Training {
  readonly #model: Network
  readonly #data: ImageDataset
  readonly #settings: FitSettings
  readonly #rounds: Rounds
  readonly #slots: readonly string[]
  readonly #records: RoundRecords
  readonly #put: () => Promise<ModelReference>
  readonly #options: TrainRoundsOptions
  /** What the first round starts from: other trainings may, too. */
  readonly #first: ModelReference
  /** The network that the next round starts from, and each slot's state. */
  #start: ModelReference
  #states: readonly (SlotState | null)[]
  #momentum: { readonly name: string; readonly values: StateDict } | null = null
  readonly #models: ModelReference[] = []
  /** The values of rounds that may be in the store. */
  readonly #stored = new Set<string>()
  #epochs: readonly EpochResult[] = []
  readonly #skipped = new Set<string>()
  #steps = 0

  constructor(
    model: Network,
    data: ImageDataset,
    settings: FitSettings,
    rounds: Rounds,
    slots: readonly string[],
    first: ModelReference,
    tools: {
      readonly records: RoundRecords
      readonly put: () => Promise<ModelReference>
      readonly options: TrainRoundsOptions
    },
  ) {
    this.#model = model
    this.#data = data
    this.#settings = settings
    this.#rounds = rounds
    this.#slots = slots
    this.#first = first
    this.#start = first
    this.#states = slots.map(() => null)
    this.#records = tools.records
    this.#put = tools.put
    this.#options = tools.options
  }

  async run(): Promise<FitResult> {
    const { signal, patience, monitor, minDelta, keep } = this.#settings
    const { steps } = this.#rounds
    const patient = () =>
      patience === undefined || !outOfPatience(this.#epochs, patience, monitor, minDelta)
    await this.#goOn(patient)
    while (this.#epochs.length < steps.length && patient() && !signal?.aborted) {
      try {
        // Where images are broken, the epochs of a schedule have fewer steps than were counted.
        if (!(await this.#round(at(steps, this.#epochs.length)))) break
      } catch (error) {
        if (!signal?.aborted) throw error
      }
    }
    const epochs = this.#epochs
    const keptEpoch = keep === 'best' ? bestEpoch(epochs, monitor, minDelta) : epochs.length
    if (keptEpoch > 0) await this.#load(keptEpoch)
    return {
      epochs,
      keptEpoch,
      aborted: signal?.aborted ?? false,
      stoppedEarly: !signal?.aborted && epochs.length < steps.length && !patient(),
      skipped: this.#skipped.size,
      keptBatches: 0,
      steps: this.#steps,
      recovered: 0,
    }
  }

  /** Takes up the rounds that are finished. */
  async #goOn(patient: () => boolean): Promise<void> {
    let last: RoundRecord | null = null
    for (const steps of this.#rounds.steps) {
      const record = patient() ? await this.#records.read(this.#epochs.length + 1) : null
      // An earlier training may have ended with a shorter round.
      if (record?.steps !== steps) break
      last = record
      this.#take(record, true)
    }
    if (!last) return
    await this.#load(this.#models.length)
    const name = last.momentum
    if (name !== null) this.#momentum = { name, values: await this.#records.readMomentum(name) }
  }

  #take(record: RoundRecord, found: boolean): void {
    const { onRound, onEvent } = this.#options
    const { model, states, epoch, steps, dropped } = record
    this.#start = model
    this.#states = states
    this.#models.push(model)
    this.#stored.add(model.values)
    this.#epochs = [...this.#epochs, epoch]
    const [round, rounds, slots] = [epoch.epoch, this.#rounds.steps.length, this.#rounds.slots]
    onRound?.({ type: 'round', round, rounds, steps, slots, dropped, found })
    onEvent?.({ type: 'epoch', ...epoch })
  }

  /** @throws JobError if the network of a round is wanted that has been removed */
  async #load(round: number): Promise<void> {
    const { work } = this.#options
    try {
      const { tensors } = readSafetensors(await valuesOf(work, at(this.#models, round - 1).values))
      this.#model.loadStateDict(tensors)
    } catch (cause) {
      if (!(cause instanceof StoreError && cause.problem === 'missing')) throw cause
      throw new JobError(
        `the network of round ${round} is in ${work.address} no more, which keeps the best round ` +
          'and the last two: train at least as long as before, or into another store',
        { cause },
      )
    }
  }

  /** @returns false if no slot had a step left to make */
  async #round(steps: number): Promise<boolean> {
    const { work, runner, sameAdapter, onJobs } = this.#options
    const { signal, batchSize, accumulate } = this.#settings
    const began = performance.now()
    const each = steps * batchSize * accumulate
    const jobs = this.#slots.map((slot, i): Job => {
      const state = at(this.#states, i) ?? undefined
      const task: RoundTask = { model: this.#start, slot, steps, ...(state ? { state } : {}) }
      return { kind: roundKind.name, work: work.address, images: each, task: { ...task } }
    })
    const images = each * jobs.length
    const outcomes = await meet(runner, jobs, this.#rounds, {
      ...(signal ? { signal } : {}),
      ...(sameAdapter ? { sameAdapter } : {}),
      onEvent: (event) => onJobs?.(event, { round: this.#epochs.length + 1, images }),
    })
    signal?.throwIfAborted()
    const { done, dropped } = this.#sorted(outcomes)
    if (done.every(({ result }) => result.facts.count === 0)) return false
    const outer = await this.#average(done)
    this.#model.loadStateDict(outer.weights, { strict: false })
    const epoch = await this.#judge(done, began)
    const before = { states: this.#states, momentum: this.#momentum }
    const states = this.#states.map((state, i) => {
      const own = done.find(({ slot }) => slot === i)
      return own ? { job: own.id, sha256: hashOf(own, outputsOf(own.id).state) } : state
    })
    const momentum =
      this.#rounds.outer.momentum > 0 ? await this.#records.putMomentum(outer.momentum) : null
    const model = await this.#put()
    const record: RoundRecord = { steps, dropped, states, model, momentum, epoch }
    await this.#records.write(epoch.epoch, record)
    this.#momentum = momentum === null ? null : { name: momentum, values: outer.momentum }
    this.#steps += steps * done.length
    this.#take(record, false)
    await this.#clear(done, states, before)
    return true
  }

  /** The results that count, in the order of the slots. @throws JobError if they are too few */
  #sorted(outcomes: readonly (Outcome | null)[]) {
    const done: (Done & { readonly slot: number })[] = []
    const dropped: { slot: number; reason: string }[] = []
    for (const [slot, outcome] of outcomes.entries()) {
      if (outcome && 'result' in outcome) done.push({ ...outcome, slot })
      else dropped.push({ slot, reason: outcome ? outcome.failure : 'it came too late' })
    }
    const { quorum, slots } = this.#rounds
    if (done.length < quorum)
      throw new JobError(
        `${done.length} of ${slots} slots were trained, and a round needs ${quorum}: ` +
          `${reasonOf(dropped[0]?.reason)}; what is done is kept, and running this again does ` +
          'the rest',
      )
    return { done, dropped }
  }

  async #average(done: readonly Done[]): Promise<OuterResult> {
    const { work } = this.#options
    const trained = this.#model.parameters().filter(({ trainable }) => trainable)
    const now = await this.#model.stateDict()
    const weights: StateDict = {}
    for (const { name } of trained) {
      const array = now[name]
      if (array) weights[name] = array
    }
    const step = new OuterStep(weights)
    for (const one of done) {
      const path = outputsOf(one.id).weights
      const bytes = await readOutput(work, path, hashOf(one, path))
      const { tensors } = readSafetensors(bytes, { inPlace: true })
      requireFinite(tensors, `${work.address}/${path}`)
      step.add(tensors)
    }
    return step.finish(this.#rounds.outer, this.#momentum?.values ?? null)
  }

  /** The round's record: validation of the network as it is now. */
  async #judge(done: readonly Done[], began: number): Promise<EpochResult> {
    const { batchSize, signal } = this.#settings
    let [loss, correct, count, lr] = [0, 0, 0, 0]
    for (const { result } of done) {
      const facts = result.facts as unknown as RoundFacts
      loss += facts.loss
      correct += facts.correct
      count += facts.count
      lr = facts.lr
      for (const image of result.broken) this.#skip(image)
    }
    const validation = await evaluate(this.#model, this.#data, {
      batchSize,
      ...(signal ? { signal } : {}),
    })
    signal?.throwIfAborted()
    return {
      epoch: this.#epochs.length + 1,
      trainLoss: loss / count,
      trainAccuracy: correct / count,
      valLoss: validation.loss,
      valAccuracy: validation.accuracy,
      seconds: (performance.now() - began) / 1000,
      lr,
    }
  }

  #skip({ name, reason }: { readonly name: string; readonly reason: string }): void {
    if (this.#skipped.has(name)) return
    this.#skipped.add(name)
    const { onEvent } = this.#settings
    for (const { name: other, label } of onEvent ? this.#data.train : [])
      if (other === name) onEvent?.({ type: 'skipped', name, reason, split: 'train', label })
  }

  /** Removes what no later round needs: a round of a large network leaves gigabytes. */
  async #clear(
    done: readonly Done[],
    states: readonly (SlotState | null)[],
    before: {
      readonly states: readonly (SlotState | null)[]
      readonly momentum: { readonly name: string } | null
    },
  ): Promise<void> {
    const { work } = this.#options
    for (const { id } of done) {
      await forgetDone(work, id)
      await work.remove(outputsOf(id).weights)
    }
    for (const state of before.states)
      if (state && !states.some((now) => now?.job === state.job))
        await work.remove(outputsOf(state.job).state)
    if (before.momentum && before.momentum.name !== this.#momentum?.name)
      await this.#records.dropMomentum(before.momentum.name)
    const { monitor, minDelta } = this.#settings
    const best = bestEpoch(this.#epochs, monitor, minDelta)
    // A slot that is late may still read the network that its round started from.
    const kept = [...this.#models.slice(-2), at(this.#models, best - 1), this.#first]
    for (const values of this.#stored) {
      if (kept.some((model) => model.values === values)) continue
      await dropValues(work, values)
      this.#stored.delete(values)
    }
  }
}

/** The sha256 of what a job has written. @throws JobError if it has not */
function hashOf({ id, result }: Done, path: string): string {
  const found = result.outputs.find((output) => output.path === path)
  if (!found) throw new JobError(`job ${id} has not written ${path}`)
  return found.sha256
}
