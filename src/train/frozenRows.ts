import { at } from '../base/at.ts'
import { Random } from '../base/random.ts'
import type { Sample, SampleList } from '../data/dataset.ts'
import type { ImageKeys } from '../data/imageKeys.ts'
import { decoding, GROUP_BYTES, loadAhead } from '../data/loader.ts'
import { preprocessImages } from '../data/transforms.ts'
import type { Reserve, RgbImage } from '../host/host.ts'
import type { Network } from '../nn/network.ts'
import { allocate } from '../tensor/ndbuffer.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { ReadOptions } from './batches.ts'
import type { FeatureRows } from './featureRows.ts'

/**
 * Images that go through the frozen layers together. The number is always the same, so that an
 * image's row does not depend on the batch it was computed in.
 */
const batchOfReading = 32
/** The most samples that are read before the missing rows among them are computed. */
const maxRead = 8 * batchOfReading
/** Fills up an incomplete batch of images. */
const blank: RgbImage = { data: new Uint8Array(3), width: 1, height: 1 }

/**
 * For a rehearsal: does on the device what reading one batch up to the layer `from` does.
 * @returns frees what is held until the rows have been read back
 */
export function readingWork(model: Network, from: number): () => void {
  const { engine } = model
  const x = new Tensor(engine, allocate(engine.gpu, [batchOfReading, ...at(model.shapes(), 0)]))
  const y = engine.noGrad(() => model.forward(x, { to: from }))
  return () => {
    for (const tensor of [x, y]) tensor.dispose()
  }
}

/** What `computeRows` reads, and where it tells what it did. */
export interface ComputeOptions extends ReadOptions {
  /** Called after each group of samples: how many were read, and how many of them were found. */
  readonly onGroup: (read: number, found: number) => void
}

/** A sample whose row is known now; the row itself if it was computed and not found on disk. */
export interface Computed {
  readonly index: number
  readonly row: Float32Array | null
}

/** A sample that was read: its row's place in the table, or its decoded image. */
type Loaded =
  | { readonly place: number }
  | { readonly image: RgbImage; readonly keys: ImageKeys | null }

type Group = readonly { readonly index: number; readonly loaded: Loaded }[]

/**
 * Computes and stores the outputs of the layers before `from` for samples that are not known, group
 * by group. A row depends on its image alone, whatever else is computed beside it.
 * @returns the samples in the order of `indices`, without broken ones
 */
export async function* computeRows(
  model: Network,
  samples: SampleList,
  from: number,
  rows: FeatureRows,
  indices: Uint32Array,
  options: ComputeOptions,
): AsyncGenerator<Computed> {
  const { decode, ahead } = decoding(model.engine)
  const load = async (
    { source, name }: Pick<Sample, 'source' | 'name'>,
    _index: number,
    reserve: Reserve,
  ): Promise<Loaded> => {
    const found = await rows.table?.seek({ source, name })
    if (found && 'place' in found) return found
    return {
      image: await decode(found?.bytes ?? source, name, reserve),
      keys: found?.keys ?? null,
    }
  }
  const bytesOf = (loaded: Loaded) => ('image' in loaded ? loaded.image.data.byteLength : 0)
  const loading = loadAhead(samples, indices, { ...options, ahead, load, bytesOf })
  for (;;) {
    const group: { readonly index: number; readonly loaded: Loaded }[] = []
    let [decoded, bytes] = [0, 0]
    while (decoded < batchOfReading && bytes < GROUP_BYTES && group.length < maxRead) {
      const { value, done } = await loading.next()
      if (done) break
      group.push(value)
      bytes += bytesOf(value.loaded)
      if ('image' in value.loaded) decoded++
    }
    if (group.length === 0) return
    const stored = await store(model, from, rows, group)
    options.onGroup(group.length, group.length - decoded)
    yield* stored
  }
}

/** Computes the missing rows of a group of samples, and stores them. */
async function store(
  model: Network,
  from: number,
  rows: FeatureRows,
  group: Group,
): Promise<Computed[]> {
  const { width } = rows
  const images = group.flatMap(({ loaded }) => ('image' in loaded ? [loaded.image] : []))
  const computed = images.length ? await forward(model, from, images) : null
  const result: Computed[] = []
  let start = 0
  for (const { index, loaded } of group) {
    if ('place' in loaded) {
      await rows.setPlace(index, loaded.place)
      result.push({ index, row: null })
    } else if (computed) {
      const row = computed.subarray(start, start + width)
      start += width
      await rows.put(index, loaded.keys, row)
      result.push({ index, row })
    }
  }
  return result
}

async function forward(
  model: Network,
  from: number,
  images: readonly RgbImage[],
): Promise<Float32Array> {
  const { engine, preprocess } = model
  const batch = Array.from({ length: batchOfReading }, (_, i) => images[i] ?? blank)
  const x = preprocessImages(engine, batch, preprocess)
  const y = engine.noGrad(() => model.forward(x, { to: from }))
  const rows = await y.data()
  for (const tensor of [x, y]) tensor.dispose()
  return rows
}

/**
 * Everything that the outputs of the layers before `from` depend on: the layers' descriptions, the
 * preprocessing, the weights, and the outputs for a fixed image of noise. The last differ where
 * nothing else does: with strides, with adapters, and with kernels that round differently.
 */
export async function cacheKey(model: Network, from: number): Promise<(string | Float32Array)[]> {
  const { engine, layers, preprocess } = model
  const prefix = layers.slice(0, from)
  const parameters = prefix.flatMap((layer) => layer.state())
  const [random, width, height] = [new Random(1), 97, 61]
  const noise = {
    data: Uint8Array.from({ length: 3 * width * height }, () => random.below(256)),
    width,
    height,
  }
  const x = preprocessImages(engine, [noise], preprocess)
  const y = engine.noGrad(() => model.forward(x, { to: from }))
  const values = await engine.read([...parameters.map((parameter) => parameter.tensor), x, y])
  for (const tensor of [x, y]) tensor.dispose()
  const described = prefix.map(({ name, description }) => [name, description])
  return [JSON.stringify([described, model.shapes().slice(0, from + 1), preprocess]), ...values]
}
