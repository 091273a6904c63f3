import { stat } from 'node:fs/promises'
import { bytes, percent } from '../base/format.ts'
import { fsPath } from '../base/node/fileNames.ts'
import { isOffline } from '../base/node/offline.ts'
import { fetchDataset, localDataset } from '../data/datasets/node/store.ts'
import { downloadBytes, findDataset, type NamedDataset } from '../data/datasets/registry.ts'
import { Stop } from './interrupt.ts'
import type { Output } from './output.ts'

export interface FetchOptions {
  readonly offline?: boolean
  readonly minRate?: number
}

/**
 * Where images are that a command was given: at the path itself, or, where nothing is there and a
 * dataset has that name, in the folder of the dataset, which is fetched if it is not here.
 * @throws DataError if it cannot be fetched, or would have to be while offline
 */
export async function dataPlace(
  given: string,
  options: FetchOptions,
  output: Output,
): Promise<string> {
  const dataset = findDataset(given)
  if (!dataset) return given
  if (await stat(fsPath(given)).catch(() => null)) {
    output.labeled('data', `the folder ${given} here, not the dataset of that name`)
    return given
  }
  return fetchShown(output, dataset, options)
}

/** Fetches a named dataset that is not on this machine yet, with a progress bar. */
export async function fetchShown(
  output: Output,
  dataset: NamedDataset,
  { offline, minRate }: FetchOptions,
): Promise<string> {
  const { name, about, license, archives } = dataset
  output.labeled('dataset', `${name}: ${about}`)
  output.labeled('  license', license)
  const here = await localDataset(dataset)
  if (here !== null) return here
  const hosts = [...new Set(archives.map(({ url }) => url.host))].join(', ')
  if (!(offline ?? isOffline()))
    output.labeled('fetching', `${bytes(downloadBytes(dataset))} from ${hosts}`)
  const stop = new Stop(() => output.warn('stopping; what has arrived is kept'))
  let reportedAt = 0
  try {
    return await fetchDataset(dataset, {
      ...(offline ? { offline } : {}),
      ...(minRate === undefined ? {} : { minRate }),
      signal: stop.signal,
      onWait: (holder) =>
        output.labeled('waiting', `another process${holder} is fetching ${name} already`),
      onProgress: (phase, done, total) => {
        const unpacking = phase === 'unpack'
        output.progress(
          unpacking ? 'unpacking' : 'fetching',
          done,
          total,
          unpacking ? percent(done) : `${bytes(done)} of ${bytes(total)}`,
        )
        const now = performance.now()
        if (now - reportedAt < 500 && done !== total) return
        reportedAt = now
        output.event({ type: phase, name, done, total })
      },
    })
  } catch (error) {
    if (!stop.signal.aborted) throw error
    throw stop.error(
      `stopped: what has arrived of ${name} is kept, and fetching it goes on from there`,
    )
  } finally {
    stop.done()
    output.endProgress()
  }
}
