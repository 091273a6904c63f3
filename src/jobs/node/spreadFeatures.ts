/** The frozen part of a training, done by whoever does jobs, before `fit` trains the head. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { at } from '../../base/at.ts'
import { cacheFolder } from '../../base/node/cacheFolder.ts'
import { namedArrays } from '../../base/stateDict.ts'
import { type ImageDataset, joined } from '../../data/dataset.ts'
import { FeatureCache } from '../../data/featureCache.ts'
import { bytesOfFile } from '../../data/rowsFile.ts'
import type { Network } from '../../nn/network.ts'
import type { Store } from '../../store/store.ts'
import { sizeOf } from '../../tensor/ndbuffer.ts'
import { cacheKey } from '../../train/frozenRows.ts'
import type { Plan } from '../../transfer/scenario.ts'
import { writeSafetensors } from '../../weights/safetensors.ts'
import { type Job, JobError, type JobResult } from '../job.ts'
import { type Done, type Runner, type RunOptions, requireDone } from '../runner.ts'
import { divided, imagesOfShards, putShard, shardSize } from '../shards.ts'
import { type FeaturesTask, featuresKind, nameOf } from './features.ts'
import { type ModelReference, putModel } from './models.ts'

export interface SpreadOptions extends Omit<RunOptions, 'total'> {
  readonly runner: Runner
  readonly work: Store
  /** What `applyScenario` has done to the network. */
  readonly plan: Pick<Plan, 'cut' | 'replace'>
  /** Images of a shard; what suits their number by default. */
  readonly shardSize?: number
  /** Where rows are kept that one adapter computed, the one of the model's engine. */
  readonly folder?: string
}

/** The rows of every image, for `fit`, and what came of the jobs. */
export interface SpreadFeatures {
  readonly cache: FeatureCache
  readonly results: readonly JobResult[]
}

/**
 * Has the frozen layers of a network run over all images of a dataset, and brings the rows into a
 * cache of features on this machine, as if an earlier run had computed them here.
 * @param model with its `trainable` flags set, and frozen layers at its beginning
 * @param data whose images are in a store
 * @param root the address that all of them lie below
 * @throws GraftError with code `job` if a shard failed for good, or its rows were changed since
 */
export async function spreadFeatures(
  model: Network,
  data: ImageDataset,
  root: string,
  options: SpreadOptions,
): Promise<SpreadFeatures> {
  const { runner, work, plan } = options
  const from = model.frozenPrefix
  const width = sizeOf(at(model.shapes(), from))
  const table = nameOf(await cacheKey(model, from))
  const reference = await putFrozen(work, model, from, plan)
  const images = joined(data.train, data.val)
  const size = options.shardSize ?? shardSize(images.length, 4 * width)
  const jobs: Job[] = []
  for await (const shard of divided(imagesOfShards(images, root), size)) {
    const hash = await putShard(work, shard)
    const task: FeaturesTask = { data: root, shard: hash, model: reference, from, width, table }
    jobs.push({
      kind: featuresKind.name,
      work: work.address,
      images: shard.length,
      task: { ...task },
    })
  }
  const done = requireDone(await runner.run(jobs, { ...options, total: jobs.length }))
  const results = done.map(({ result }) => result)
  // Rows of other adapters differ in their last bits: those of this one are kept apart from them.
  const own = results.every(({ facts }) => facts.table === table)
  const folder = options.folder ?? join(cacheFolder(), 'features')
  const cache = new FeatureCache({
    folder: own ? folder : join(folder, `adapters-${contentOf(done)}`),
    // Whoever has the rows computed wants all of them.
    limit: Math.max(new FeatureCache().limit, 8 * width * images.length),
  })
  await bring(work, cache, table, width, done)
  return { cache, results }
}

/** The layers that are frozen, without the new ones, whose values differ from seed to seed. */
async function putFrozen(
  work: Store,
  model: Network,
  from: number,
  { cut, replace }: SpreadOptions['plan'],
): Promise<ModelReference> {
  const frozen = model.layers.slice(0, from).flatMap((layer) => layer.state())
  const values = await model.engine.read(frozen.map(({ tensor }) => tensor))
  return putModel(work, writeSafetensors(namedArrays(frozen, values)), {
    architecture: model.architecture,
    cut,
    replace,
    // What follows is not among the frozen layers, whatever it is.
    seed: 0,
    classes: ['first', 'second'],
  })
}

/** Brings the files of rows into the cache, several as one where they are small. */
async function bring(
  work: Store,
  cache: FeatureCache,
  name: string,
  width: number,
  done: readonly Done[],
): Promise<void> {
  const table = cache.table(name, width)
  await table.open()
  try {
    let [group, bytes]: [Done[], number] = [[], 0]
    const adopt = async () => {
      const parts = group.flatMap(({ id, result }) =>
        result.outputs.map(({ path }) => ({ id, path })),
      )
      const read = parts.map(
        ({ path }) =>
          () =>
            work.read(path),
      )
      const wrong = parts.length ? await table.adopt(contentOf(group), read) : null
      if (wrong !== null) {
        const { id, path } = at(parts, wrong)
        throw new JobError(
          `${work.address}/${path} is damaged: remove it and done/${id}.json, and run this again`,
        )
      }
      ;[group, bytes] = [[], 0]
    }
    for (const one of done) {
      group.push(one)
      bytes += 4 * width * one.result.images
      if (bytes >= bytesOfFile) await adopt()
    }
    await adopt()
  } finally {
    await table.close()
  }
}

/** A name for what some jobs have written. */
function contentOf(done: readonly Done[]): string {
  const said = JSON.stringify(done.map(({ id, result }) => [id, result.outputs]))
  return createHash('sha256').update(said).digest('hex').slice(0, 32)
}
