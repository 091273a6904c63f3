import { UsageError } from '../base/errors.ts'
import { counted } from '../base/format.ts'
import type { ImageDataset } from '../data/dataset.ts'
import type { FeatureCache } from '../data/featureCache.ts'
import { isStored } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import { parseAddress, rootOf, writeAddress } from '../store/node/address.ts'
import type { TrainSettings } from '../train/settings.ts'
import type { Plan } from '../transfer/scenario.ts'
import type { Stop } from './interrupt.ts'
import { type JobOptions, withRunner } from './jobOptions.ts'
import { JobProgress } from './jobProgress.ts'
import type { CommonOptions } from './options.ts'
import type { Output } from './output.ts'

/** What `graft train` gives to the workers of a queue. */
const part =
  'the workers of a queue run the frozen layers once for each image, and nothing else of a training'

/**
 * Refuses what leaves the workers nothing to do, before anything is read.
 * @throws UsageError that says why
 */
export function requireFrozenPart(
  { store }: JobOptions,
  { augment, mixup, cache, scenario, freeze }: TrainSettings,
): void {
  if (store === undefined)
    throw new UsageError(
      '--queue needs --store ADDRESS: a place that this machine and all workers reach, such as ' +
        's3://bucket/work, where they leave what they compute',
    )
  const why = augment
    ? '--augment changes every image in every epoch'
    : mixup !== undefined
      ? '--mixup mixes images in every epoch'
      : !cache
        ? '--no-cache keeps nothing that is computed'
        : scenario.startsWith('large') && freeze === undefined
          ? `in ${scenario} no layer is frozen`
          : null
  if (why !== null) throw nothingToDo(why)
}

function nothingToDo(why: string): UsageError {
  return new UsageError(
    `${part}: ${why}, so there is nothing for them to do; --rounds has them train everything, ` +
      'without --queue this machine trains alone, and in --scenario small-similar or ' +
      'small-different layers are frozen',
  )
}

/** The images of a dataset as workers find them: at an address. */
export function addressOf(dir: string): string {
  return writeAddress(parseAddress(dir))
}

/**
 * Has the workers of a queue run the frozen layers of a network over all images.
 * @returns where their outputs are, for `fit`
 */
export async function spreadTrain(
  model: Network,
  options: JobOptions & CommonOptions,
  job: {
    readonly dir: string
    readonly data: ImageDataset
    readonly plan: Plan
    readonly output: Output
    readonly stop: Stop
  },
): Promise<FeatureCache> {
  const { dir, data, plan, output, stop } = job
  if (model.frozenPrefix === 0) throw nothingToDo(`in ${plan.scenario} the first layer trains`)
  const first = data.train.at(0)?.source
  if (first === undefined || !isStored(first))
    throw new TypeError(`${dir} was not opened as a store`)
  const root = rootOf(addressOf(dir), first.address)
  const images = data.train.length + data.val.length
  const { spreadFeatures } = await import('../jobs/node/spreadFeatures.ts')
  const progress = new JobProgress(output, 'features', images)
  let found = 0
  try {
    const { cache, results } = await withRunner(options, options.adapter, async (jobs) =>
      spreadFeatures(model, data, root, {
        runner: jobs.runner,
        work: await jobs.store(options.store ?? ''),
        plan,
        signal: stop.signal,
        sameAdapter: options.sameAdapter,
        shardSize: options.shardSize,
        onEvent: (event) => {
          if (event.type === 'jobs') found = event.found
          progress.onEvent(event)
        },
      }),
    )
    const adapters = new Map<string, number>()
    for (const { adapter, images: count } of results)
      if (adapter !== null) adapters.set(adapter, (adapters.get(adapter) ?? 0) + count)
    output.event({
      type: 'features',
      images,
      shards: results.length,
      found,
      adapters: Object.fromEntries(adapters),
      broken: results.flatMap(({ broken }) => broken),
    })
    const before = found > 0 ? `, ${found} of them done before` : ''
    output.labeled(
      'features',
      `${counted(images, 'image')} in ${counted(results.length, 'shard')}${before}`,
    )
    for (const [adapter, count] of adapters)
      output.labeled('', `${counted(count, 'image')} on ${adapter}`)
    return cache
  } catch (error) {
    if (!stop.signal.aborted) throw error
    throw stop.error('stopped: the shards that are done are kept, and the same command goes on')
  } finally {
    output.endProgress()
  }
}
