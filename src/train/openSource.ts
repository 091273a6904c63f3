import type { SampleList } from '../data/dataset.ts'
import { PixelCache } from '../data/loader.ts'
import type { Network } from '../nn/network.ts'
import type { BatchSource } from './batches.ts'
import { ImageSource, type SeededAugmentation } from './imageSource.ts'
import { openStored, type StoreOptions } from './storedSource.ts'

/**
 * The cheapest way to read one part of a dataset: from stored outputs of the frozen layers where
 * samples are the same in every epoch and memory allows it, else by decoding the images again.
 * @param options.store whether outputs may be stored at all
 * @param options.augment how images are augmented; null for not at all
 */
export async function openSource(
  model: Network,
  samples: SampleList,
  options: StoreOptions & { readonly store: boolean; readonly augment: SeededAugmentation | null },
): Promise<BatchSource> {
  const { store, augment } = options
  if (store && augment === null) {
    const stored = await openStored(model, samples, model.frozenPrefix, options)
    if (stored) return stored
  }
  const cache = store ? { cache: new PixelCache(samples.length) } : {}
  return new ImageSource(model, samples, { ...options, ...cache }, { augment })
}
