/** What a training by rounds has come to after each of its rounds, in the work store. */
import { type Form, misfit } from '../../base/form.ts'
import { JsonProblem, parseBounded } from '../../base/json.ts'
import { positiveInteger, rule, text, wholeNumber } from '../../base/rule.ts'
import { sha256 } from '../../base/sha256.ts'
import type { StateDict } from '../../base/stateDict.ts'
import { type Store, StoreError } from '../../store/store.ts'
import type { EpochResult } from '../../train/events.ts'
import { epochForm } from '../../train/runForms.ts'
import { readSafetensors, writeSafetensors } from '../../weights/safetensors.ts'
import { JobError } from '../job.ts'
import { hash, hashOrNull, type ModelReference, modelForm } from './models.ts'
import { readOutput } from './round.ts'

/** Where a slot's next round goes on. */
export interface SlotState {
  /** The job that its state comes from, and the state's sha256. */
  readonly job: string
  readonly sha256: string
}

/** A finished round. Whoever goes on from it ends with the same bytes as the one who wrote it. */
export interface RoundRecord {
  /** Steps that each slot has made in it. */
  readonly steps: number
  /** The slots that did not count, with the reason. */
  readonly dropped: readonly { readonly slot: number; readonly reason: string }[]
  /** The state of each slot; null for one that has not finished a round. */
  readonly states: readonly (SlotState | null)[]
  /** The network after the outer step. */
  readonly model: ModelReference
  /** The sha256 of the outer step's momentum; null if it has none. */
  readonly momentum: string | null
  readonly epoch: EpochResult
}

const state = rule('the state of a slot, or null', (value) => {
  return value === null || misfit(value, { fields: { job: text, sha256: hash } }) === null
})
const form: Form<Omit<RoundRecord, 'states'>> & { readonly fields: object } = {
  fields: {
    steps: positiveInteger,
    states: { each: state },
    dropped: { each: { fields: { slot: wholeNumber, reason: text } } },
    model: modelForm,
    momentum: hashOrNull,
    epoch: epochForm,
  },
}

/** The records of one training. */
export class RoundRecords {
  readonly #work: Store
  readonly #folder: string

  /** @param name which follows from all that decides the training's bytes */
  constructor(work: Store, name: string) {
    this.#work = work
    this.#folder = `rounds/${name}`
  }

  /**
   * A round's record, or null if it is not finished.
   * @throws JobError for a record that is damaged
   */
  async read(round: number): Promise<RoundRecord | null> {
    const path = this.#pathOf(round)
    let value: unknown
    try {
      value = parseBounded(await this.#work.read(path))
    } catch (cause) {
      if (cause instanceof StoreError && cause.problem === 'missing') return null
      if (!(cause instanceof JsonProblem)) throw cause
      throw new JobError(`${this.#work.address}/${path} ${cause.message}: remove it`, { cause })
    }
    const wrong = misfit(value, form)
    if (wrong === null) return value as RoundRecord
    throw new JobError(`${this.#work.address}/${path} is no record of a round (${wrong})`)
  }

  async write(round: number, record: RoundRecord): Promise<void> {
    const text = `${JSON.stringify(record, null, 1)}\n`
    await this.#work.write(this.#pathOf(round), new TextEncoder().encode(text))
  }

  /** @returns the sha256 that names it */
  async putMomentum(momentum: StateDict): Promise<string> {
    const bytes = writeSafetensors(momentum)
    const name = await sha256(bytes)
    await this.#work.write(this.#momentumPath(name), bytes, { ifAbsent: true })
    return name
  }

  async readMomentum(name: string): Promise<StateDict> {
    const bytes = await readOutput(this.#work, this.#momentumPath(name), name)
    return readSafetensors(bytes, { inPlace: true }).tensors
  }

  async dropMomentum(name: string): Promise<void> {
    await this.#work.remove(this.#momentumPath(name))
  }

  #pathOf(round: number): string {
    return `${this.#folder}/${round}.json`
  }

  #momentumPath(name: string): string {
    return `${this.#folder}/momentum-${name}.safetensors`
  }
}
