/** Jobs that run the frozen layers of a network over a shard. */
import { GraftError } from '../../base/errors.ts'
import { type Form, misfit } from '../../base/form.ts'
import { positiveInteger, text } from '../../base/rule.ts'
import { sha256 } from '../../base/sha256.ts'
import type { Sample } from '../../data/dataset.ts'
import { FeatureCache } from '../../data/featureCache.ts'
import type { FeatureTable, Sought } from '../../data/featureStore.ts'
import { contentKey, FileStates, type ImageKeys } from '../../data/imageKeys.ts'
import { joinedRows, type Rows, writeRows } from '../../data/rowsFile.ts'
import { encodedBytes } from '../../host/node/decode.ts'
import type { Network } from '../../nn/network.ts'
import { sizeOf } from '../../tensor/ndbuffer.ts'
import { FeatureRows } from '../../train/featureRows.ts'
import { cacheKey, computeRows } from '../../train/frozenRows.ts'
import { jobId } from '../identity.ts'
import { type Job, JobError, type JobKind } from '../job.ts'
import { readImages, readShard } from '../shards.ts'
import { hash, type ModelReference, modelForm, modelOf } from './models.ts'

/** What a job of this kind says. */
export interface FeaturesTask {
  /** The address that the images of the shard lie below. */
  readonly data: string
  /** The sha256 of the shard's file. */
  readonly shard: string
  readonly model: ModelReference
  /** The layer that takes the rows. */
  readonly from: number
  /** Numbers of a row. */
  readonly width: number
  /** The name of the rows' table on the adapter of the one who gave the job out. */
  readonly table: string
}

const form: Form<FeaturesTask> = {
  fields: {
    data: text,
    shard: hash,
    model: modelForm,
    from: positiveInteger,
    width: positiveInteger,
    table: hash,
  },
}

const pathOf = (table: string, id: string) => `features/${table}/${id}.safetensors`

/** Runs the layers before `from`, and writes a file of rows as the cache of features has them. */
export const featuresKind: JobKind<readonly Sample[]> = {
  name: 'features',
  check(task) {
    const wrong = misfit(task, form)
    if (wrong !== null) throw new JobError(`a job of features is wrong: ${wrong}`)
  },
  async read(job, { store, signal }) {
    const { data, shard } = taskOf(job)
    const images = await readShard(await store(job.work), shard)
    return readImages(await store(data), images, signal)
  },
  async run(job, context, samples) {
    const { model: reference, from, width, table } = taskOf(job)
    const { signal, progress } = context
    const [work, engine] = [await context.store(job.work), await context.engine()]
    const model = await modelOf(engine, work, reference)
    const own = await tableOf(model, from, width)
    const rows = new CollectedRows()
    const broken: { name: string; reason: string }[] = []
    let done = 0
    const computing = computeRows(
      model,
      samples,
      from,
      new FeatureRows(samples.length, width, rows, {
        memory: false,
        memoryBudget: 0,
        onRefused: (reason) => {
          throw new GraftError('write', reason)
        },
      }),
      Uint32Array.from(samples, (_, i) => i),
      {
        signal,
        onBroken: ({ name }, { message }) => broken.push({ name, reason: message }),
        onGroup: (read) => {
          done += read
          progress(done)
        },
      },
    )
    for await (const _ of computing);
    const outputs: { path: string; sha256: string }[] = []
    if (rows.all.length > 0) {
      const { bytes } = writeRows(joinedRows(rows.all))
      const path = pathOf(table, await jobId(job))
      await work.write(path, bytes)
      outputs.push({ path, sha256: await sha256(bytes) })
    }
    return {
      adapter: engine.info.adapter,
      images: samples.length,
      broken,
      outputs,
      facts: { table: own, rows: rows.all.length },
    }
  },
}

const taskOf = (job: Job) => job.task as unknown as FeaturesTask

/** The name of a table, on whichever disk it is. */
export const nameOf = (key: readonly (string | Float32Array)[]) => new FeatureCache().nameOf(key)

const tables = new WeakMap<Network, Map<number, Promise<string>>>()

/**
 * The name of the table that rows computed here belong to.
 * @throws JobError if the network has no such layer
 */
async function tableOf(model: Network, from: number, width: number): Promise<string> {
  const shape = model.shapes()[from]
  if (!shape || sizeOf(shape) !== width)
    throw new JobError(`the network's layer ${from} does not take rows of ${width} numbers`)
  const needed = model.layers.slice(0, from).flatMap((layer) => layer.state())
  const lacking = needed.find(({ name }) => model.missing.includes(name))
  if (lacking) throw new JobError(`the network's values lack ${lacking.name}`)
  const known = tables.get(model) ?? new Map<number, Promise<string>>()
  tables.set(model, known)
  const name = known.get(from) ?? cacheKey(model, from).then(nameOf)
  known.set(from, name)
  return name
}

/** The rows of one job, as they are computed. */
class CollectedRows implements FeatureTable {
  readonly rowsInFiles = 0
  readonly all: Rows[] = []
  readonly #states = new FileStates()

  async open(): Promise<void> {}

  async seek({ source, name }: Pick<Sample, 'source' | 'name'>): Promise<Sought> {
    const [bytes, state] = [await encodedBytes(source, name), await this.#states.keyOf(source)]
    return { bytes, keys: { content: contentKey(bytes), state } }
  }

  async add(keys: ImageKeys, row: Float32Array): Promise<number> {
    this.all.push({ keys: [keys], data: row })
    return this.all.length - 1
  }

  async flush(): Promise<void> {}

  async read(): Promise<void> {
    throw new RangeError('a job reads no row again')
  }

  async close(): Promise<void> {}
}
