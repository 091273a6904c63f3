import { UsageError } from '../base/errors.ts'
import { counted, thousands } from '../base/format.ts'
import { storedImages } from '../data/storedImages.ts'
import { putModel, putTrust } from '../jobs/node/models.ts'
import { spreadPredictions } from '../jobs/node/spreadPredictions.ts'
import { parseAddress, prefixOf, rootOf, writeAddress } from '../store/node/address.ts'
import { readRunConfig, readRunTrust, readRunWeights } from '../train/runFolder.ts'
import { exitCodes } from './errors.ts'
import { Stop } from './interrupt.ts'
import { type JobOptions, withRunner } from './jobOptions.ts'
import { JobProgress } from './jobProgress.ts'
import type { CommonOptions } from './options.ts'
import type { Output } from './output.ts'

export interface BulkOptions extends CommonOptions, JobOptions {
  readonly top: number
  readonly tta: number
  readonly refuse: number
  readonly csv?: boolean
  readonly out?: string
}

/**
 * `graft predict RUN DATA --out PLACE`: classifies all images at an address, one file of answers a
 * shard, here or on the workers of a queue.
 */
export async function bulkPredict(
  folder: string,
  names: readonly string[],
  options: BulkOptions & { readonly out: string },
  output: Output,
): Promise<void> {
  const [given, second] = names
  if (given === undefined || second !== undefined)
    throw new UsageError('--out PLACE takes one folder, archive or table of images, or an address')
  const config = await readRunConfig(folder)
  // Checked here, so that no worker meets what is damaged.
  const { bytes: values } = await readRunWeights(folder)
  const trust = options.refuse > 0 ? await readRunTrust(folder) : null
  const address = writeAddress(parseAddress(given))
  const stop = new Stop(() => output.warn('stopping; what is done is kept'))
  try {
    const images = await storedImages(address)
    output.labeled('data', `${given}: ${counted(images.length, 'image')}`)
    const manifest = await withRunner(options, options.adapter, async ({ runner, store }) => {
      const out = await store(options.out)
      const work = await store(options.store ?? `${out.address}/.graft`)
      const { architecture, plan, classes } = config
      const { cut, replace, seed } = plan
      const model = await putModel(work, values, { architecture, cut, replace, seed, classes })
      const progress = new JobProgress(output, 'predicting', images.length)
      return spreadPredictions(
        images,
        rootOf(address, images.at(0).source.address),
        {
          data: address,
          model,
          top: Math.min(options.top, classes.length),
          tta: options.tta,
          trust: trust && (await putTrust(work, trust)),
          refuse: options.refuse,
          format: options.csv ? 'csv' : 'json',
        },
        {
          runner,
          work,
          out,
          prefix: prefixOf(given, images.at(0).source.address, address),
          signal: stop.signal,
          onEvent: progress.onEvent,
          sameAdapter: options.sameAdapter,
          shardSize: options.shardSize,
        },
      )
    })
    output.endProgress()
    const { predicted, broken, failed, adapters, parts } = manifest
    for (const { reason } of broken.slice(0, mostNamed)) output.complain(reason)
    if (broken.length > mostNamed)
      output.warn(`${thousands(broken.length - mostNamed)} more images cannot be read`)
    for (const [adapter, count] of Object.entries(adapters))
      output.labeled('adapter', `${adapter}: ${counted(count, 'image')}`)
    output.labeled(
      'written',
      `${options.out}: ${counted(predicted, 'image')} in ${counted(parts.length, 'file')}, and ` +
        'manifest.json',
    )
    output.event({
      type: 'result',
      run: folder,
      out: options.out,
      images: predicted,
      failed: broken.length,
      parts: parts.length,
      failedShards: failed.length,
      adapters,
    })
    if (failed.length > 0)
      output.complain(
        `${counted(failed.length, 'shard')} failed, such as ${failed[0]?.id}: ` +
          `${failed[0]?.reason}; run this again for those alone`,
      )
    if (broken.length + failed.length > 0) process.exitCode = exitCodes.failure
  } catch (error) {
    if (!stop.signal.aborted) throw error
    throw stop.error('stopped: what is done is kept, and the same command goes on from there')
  } finally {
    output.endProgress()
    stop.done()
  }
}

/** Broken images that are named one by one; the manifest has all of them. */
const mostNamed = 20
