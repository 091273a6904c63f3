import { stat } from 'node:fs/promises'
import { bytes } from '../base/format.ts'
import { absolutePath, fsPath } from '../base/node/fileNames.ts'
import { isOffline } from '../base/node/offline.ts'
import { fetchDataset, localDataset } from '../data/datasets/node/store.ts'
import { downloadBytes, findDataset, type NamedDataset } from '../data/datasets/registry.ts'
import { isAddress, parseAddress, writeAddress } from '../store/node/address.ts'
import { Stop } from './interrupt.ts'
import type { Output } from './output.ts'
import { showTransfer } from './transfer.ts'

/** Where images are, as a run records it: a path from the root, or an address. */
export function recordedPlace(given: string): string {
  return isAddress(given) ? writeAddress(parseAddress(given)) : absolutePath(given)
}

export interface FetchOptions {
  readonly offline?: boolean
  readonly minRate?: number
}

/**
 * Where images are that a command was given: at the path or address itself, or, where nothing is
 * there and a dataset has that name, in the folder of the dataset, which is fetched if it is not
 * here.
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
  try {
    return await showTransfer(output, name, stop, (shown) =>
      fetchDataset(dataset, {
        ...(offline ? { offline } : {}),
        ...(minRate === undefined ? {} : { minRate }),
        ...shown,
      }),
    )
  } finally {
    stop.done()
  }
}
