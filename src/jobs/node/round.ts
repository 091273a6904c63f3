/** Jobs that make local steps of a training by rounds. */
import { NonFiniteError, UsageError, WeightsError } from '../../base/errors.ts'
import { type Form, misfit } from '../../base/form.ts'
import { positiveInteger, rule } from '../../base/rule.ts'
import { sha256 } from '../../base/sha256.ts'
import type { Sample } from '../../data/dataset.ts'
import type { Network } from '../../nn/network.ts'
import type { Store } from '../../store/store.ts'
import { type Checkpoint, checkpointParts, parseCheckpoint } from '../../train/checkpoint.ts'
import type { TrainEvent } from '../../train/events.ts'
import { defaultBatchSize } from '../../train/fitOptions.ts'
import { localSteps } from '../../train/localSteps.ts'
import { resolveOptions } from '../../train/options/resolve.ts'
import { concat } from '../../weights/arrays.ts'
import { writeSafetensors } from '../../weights/safetensors.ts'
import { jobId } from '../identity.ts'
import { type Job, JobError, type JobKind } from '../job.ts'
import { hash, type ModelReference, modelForm, readModel } from './models.ts'
import { readSlot, type Slot, samplesOf } from './slots.ts'

/** What a job of this kind says. */
export interface RoundTask {
  /** The network with the weights of the round. */
  readonly model: ModelReference
  /** The sha256 of the slot's file. */
  readonly slot: string
  /** The job that the slot's state comes from, and the state's sha256; none in its first round. */
  readonly state?: { readonly job: string; readonly sha256: string } | undefined
  /** How many steps it makes. */
  readonly steps: number
}

const id = rule("a job's id", (value) => typeof value === 'string' && /^j[0-9a-f]{32}$/.test(value))
const form: Form<RoundTask> = {
  fields: {
    model: modelForm,
    slot: hash,
    state: { optional: { fields: { job: id, sha256: hash } } },
    steps: positiveInteger,
  },
}

/** What a job has written: the weights that train, and what else the slot's next job needs. */
export const outputsOf = (job: string) => ({
  weights: `rounds/${job}-weights.safetensors`,
  state: `rounds/${job}-state.safetensors`,
})

/** The most bytes of a file of weights or of a state. */
const mostBytes = 2 ** 32

interface Input {
  readonly slot: Slot
  readonly samples: readonly Sample[]
  readonly state: Checkpoint | null
}

/** What its done mark tells of a round, over the images trained on. */
export interface RoundFacts {
  readonly loss: number
  readonly correct: number
  readonly count: number
  readonly lr: number
}

/** Trains a network for some steps on a slot's images, and writes its weights and state. */
export const roundKind: JobKind<Input> = {
  name: 'round',
  check(task) {
    const wrong = misfit(task, form)
    if (wrong !== null) throw new JobError(`a job of a round is wrong: ${wrong}`)
  },
  async read(job, { store }) {
    const task = taskOf(job)
    const work = await store(job.work)
    const slot = await readSlot(work, task.slot)
    const samples = await samplesOf(work, await store(slot.data), slot)
    return { slot, samples, state: task.state ? await readState(work, task.state) : null }
  },
  async run(job, context, input) {
    const { model: reference, steps } = taskOf(job)
    const [work, engine] = [await context.store(job.work), await context.engine()]
    const model = await readModel(engine, work, reference)
    try {
      const { done, broken } = await train(model, input, steps, context)
      const { state, loss, correct, count, lr } = done
      const paths = outputsOf(await jobId(job))
      const outputs = [
        { path: paths.weights, bytes: writeSafetensors(state.weights) },
        { path: paths.state, bytes: concat(await checkpointParts({ ...state, weights: {} })) },
      ]
      const written: { path: string; sha256: string }[] = []
      for (const { path, bytes } of outputs) {
        await work.write(path, bytes)
        written.push({ path, sha256: await sha256(bytes) })
      }
      const facts: RoundFacts = { loss, correct, count, lr }
      const { adapter } = engine.info
      return { adapter, images: job.images, broken, outputs: written, facts: { ...facts } }
    } finally {
      model.dispose()
    }
  },
}

const taskOf = (job: Job) => job.task as unknown as RoundTask

async function train(
  model: Network,
  { slot, samples, state }: Input,
  steps: number,
  { signal, progress }: { signal: AbortSignal; progress: (images: number) => void },
) {
  const broken: { name: string; reason: string }[] = []
  let images = 0
  for (const parameter of model.parameters())
    parameter.trainable = !slot.frozen.includes(parameter.name)
  const classes = model.classNames ?? []
  const odd = samples.find(({ label }) => label >= classes.length)
  if (odd) throw new JobError(`${odd.name} is of class ${odd.label}, of ${classes.length}`)
  // Nothing validates here.
  const data = { root: slot.data, classes, train: samples, val: samples }
  try {
    const { batchSize = defaultBatchSize } = slot.options
    const settings = resolveOptions({
      ...slot.options,
      // The steps are made again if they are cut off: no state within them is kept.
      checkpointSeconds: Number.POSITIVE_INFINITY,
      signal,
      onEvent: (event: TrainEvent) => {
        if (event.type === 'skipped') broken.push({ name: event.name, reason: event.reason })
        if (event.type !== 'step') return
        images += batchSize
        progress(images)
      },
    })
    const before = state && { ...state, weights: await model.stateDict() }
    const done = await localSteps(model, data, settings, before, steps)
    return { done, broken }
  } catch (error) {
    signal.throwIfAborted()
    // On another machine it would be the same.
    if (error instanceof UsageError || error instanceof NonFiniteError)
      throw new JobError(error.message, { cause: error })
    throw error
  }
}

/**
 * A file of the work store with the content that is expected.
 * @throws JobError for another one
 */
export async function readOutput(work: Store, path: string, hash: string): Promise<Uint8Array> {
  const found = await work.stat(path)
  if (found && found.bytes > mostBytes)
    throw new JobError(`${work.address}/${path} has more than ${mostBytes} bytes`)
  const bytes = await work.read(path)
  if ((await sha256(bytes)) === hash) return bytes
  throw new JobError(`${work.address}/${path} was changed after it was written`)
}

async function readState(
  work: Store,
  { job, sha256 }: NonNullable<RoundTask['state']>,
): Promise<Checkpoint> {
  const { state } = outputsOf(job)
  try {
    return await parseCheckpoint(await readOutput(work, state, sha256))
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error
    throw new JobError(`${work.address}/${state}: ${error.message}`, { cause: error })
  }
}
