/** Jobs that are a whole training: one of the many that a sweep compares. */
import { DataError, NonFiniteError, UsageError, WeightsError } from '../../base/errors.ts'
import { type Form, misfit } from '../../base/form.ts'
import { isRecord } from '../../base/json.ts'
import { rule, text } from '../../base/rule.ts'
import { runFiles } from '../../base/runFiles.ts'
import { sha256 } from '../../base/sha256.ts'
import { openData } from '../../data/openData.ts'
import { ignoring } from '../../data/split.ts'
import { alexnet, type Variant, variants } from '../../nn/alexnet.ts'
import { metadataOf } from '../../nn/metadata.ts'
import type { Network } from '../../nn/network.ts'
import type { Store } from '../../store/store.ts'
import type { Engine } from '../../tensor/tensor.ts'
import { chooseScenario } from '../../train/chooseScenario.ts'
import { fit } from '../../train/fit.ts'
import { learnTrust } from '../../train/learnTrust.ts'
import type { RunConfig } from '../../train/runFolder.ts'
import { fitOptionsOf, scenarioOf, type TrainSettings, wrongSetting } from '../../train/settings.ts'
import { trustText } from '../../train/trustFile.ts'
import { applyScenario } from '../../transfer/scenario.ts'
import { readSafetensors, writeSafetensors } from '../../weights/safetensors.ts'
import { jobId } from '../identity.ts'
import { type Job, JobError, type JobKind } from '../job.ts'
import { JobCheckpoints } from './jobCheckpoints.ts'
import { hash, valuesOf } from './models.ts'

/** What a job of this kind says. */
export interface TrainingTask {
  /** The address of the images. */
  readonly data: string
  /** Which options divide images that do not say themselves which are for validation. */
  readonly ignores: readonly ('split' | 'seed')[]
  /** As a run's config keeps them, without the weights. */
  readonly settings: Readonly<Record<string, unknown>>
  /** The file of values that it starts from, if it does from any, and which network they are of. */
  readonly weights?: string
  readonly variant?: Variant
  /** The version of Graft that gave the job out. */
  readonly graft: string
}

const form: Form<TrainingTask> = {
  fields: {
    data: text,
    ignores: { each: rule('split or seed', (value) => value === 'split' || value === 'seed') },
    settings: rule('an object', isRecord),
    weights: { optional: hash },
    variant: {
      optional: rule('a variant', (value) => variants.some((variant) => variant === value)),
    },
    graft: text,
  },
}

/** What is told of a training beside the run that it leaves. */
export interface TrainingFacts {
  readonly valAccuracy: number
  readonly valLoss: number
  readonly epoch: number
  readonly epochs: number
  readonly scenario: string
}

/** Wrong options, images and files are so everywhere, and so is a loss that is not finite. */
const isSameEverywhere = (error: unknown): error is Error =>
  [UsageError, DataError, NonFiniteError, WeightsError].some((one) => error instanceof one)

/** The options that a job has no use for: it says itself which weights it starts from. */
const others = ['weights', 'weightsKey', 'weightsPrefix', 'variant']

function wrongIn(settings: Readonly<Record<string, unknown>>): string | null {
  const other = others.find((name) => name in settings)
  if (other) return `its settings name ${other}`
  if (settings.lr === 'find') return 'its settings leave the learning rate to be found'
  const missing = ['scenario', 'split', 'seed', 'epochs'].find((name) => !(name in settings))
  return missing ? `its settings lack ${missing}` : wrongSetting(settings)
}

const taskOf = (job: Job) => job.task as unknown as TrainingTask

/**
 * Trains, and writes a run folder: `runs/<id>` in the work store. Until it is done, its checkpoints
 * lie there, too.
 */
export const trainingKind: JobKind<null> = {
  name: 'training',
  check(task) {
    const wrong = misfit(task, form)
    const { settings } = task
    const setting = wrong ?? (isRecord(settings) ? wrongIn(settings) : null)
    if (setting !== null) throw new JobError(`a job of training is wrong: ${setting}`)
  },
  async read(job, { store }) {
    // Refused before anything is opened at this address.
    await store(taskOf(job).data)
    return null
  },
  async run(job, context) {
    const { data: address, ignores, graft } = taskOf(job)
    const { signal, progress } = context
    const settings = taskOf(job).settings as unknown as TrainSettings
    const [work, engine] = [await context.store(job.work), await context.engine()]
    const { split, seed } = settings
    const data = await openData(address, ignoring({ split, seed }, ignores))
    const model = await startOf(engine, work, taskOf(job), seed)
    const folder = `runs/${await jobId(job)}`
    try {
      const checkpoints = await JobCheckpoints.open(work, folder, engine.info.adapter)
      const { broken } = checkpoints
      const progressTo = (epoch: number) =>
        progress(Math.floor((job.images * epoch) / settings.epochs))
      const choice =
        settings.scenario === 'auto'
          ? await chooseScenario(model, data, { seed, signal })
          : undefined
      const plan = applyScenario(model, scenarioOf(settings, choice, data.classes.length))
      const { epochs, keptEpoch, aborted } = await fit(model, data, {
        ...fitOptionsOf(settings),
        signal,
        checkpoint: checkpoints.folder,
        checkpointFiles: checkpoints,
        resume: true,
        onResume: ({ length }) => progressTo(length),
        onEvent: (event) => {
          if (event.type === 'skipped') broken.set(event.name, event.reason)
          if (event.type === 'epoch') progressTo(event.epoch)
        },
      })
      if (aborted) throw signal.reason
      const kept = epochs.find(({ epoch }) => epoch === keptEpoch)
      if (!kept) throw new JobError('the training has no epoch')
      const config: RunConfig = {
        graft,
        architecture: model.architecture,
        plan,
        ...(choice ? { choice } : {}),
        classes: data.classes,
        options: { ...settings, data: address },
        adapter: engine.info.adapter,
      }
      const values = writeSafetensors(await model.stateDict(), metadataOf(model, data.classes))
      const lines = epochs.map((epoch) => `${JSON.stringify(epoch)}\n`).join('')
      const outputs: { path: string; sha256: string }[] = []
      const write = async (name: string, content: Uint8Array) => {
        await work.write(`${folder}/${name}`, content)
        outputs.push({ path: `${folder}/${name}`, sha256: await sha256(content) })
      }
      const encoder = new TextEncoder()
      await write(runFiles.config, encoder.encode(`${JSON.stringify(config, null, 2)}\n`))
      await write(runFiles.metrics, encoder.encode(lines))
      await write(runFiles.weights, values)
      const trust = await learnTrust(model, data, { signal })
      if (trust) await write(runFiles.trust, encoder.encode(trustText(trust)))
      await checkpoints.clear()
      const { valAccuracy, valLoss, epoch } = kept
      const facts: TrainingFacts = {
        valAccuracy,
        valLoss,
        epoch,
        epochs: epochs.length,
        scenario: plan.scenario,
      }
      return {
        adapter: engine.info.adapter,
        images: job.images,
        broken: Array.from(broken, ([name, reason]) => ({ name, reason })),
        outputs,
        facts: { ...facts },
      }
    } catch (error) {
      if (!isSameEverywhere(error)) throw error
      throw new JobError(error.message, { cause: error })
    } finally {
      model.dispose()
    }
  },
}

/** The network that training starts from. */
async function startOf(
  engine: Engine,
  work: Store,
  { weights, variant }: TrainingTask,
  seed: number,
): Promise<Network> {
  const named = variant === undefined ? {} : { variant }
  if (weights === undefined) return alexnet(engine, { ...named, seed })
  const { tensors } = readSafetensors(await valuesOf(work, weights), { inPlace: true })
  return alexnet(engine, { ...named, weights: tensors, seed })
}
