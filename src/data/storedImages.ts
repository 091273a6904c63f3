import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import { isStored, type Source, type StoredImage } from '../host/host.ts'
import { PICTURE } from '../host/imageFormat.ts'
import { parseAddress } from '../store/node/address.ts'
import { storedImage } from '../store/storedImage.ts'
import { Column } from './column.ts'
import { byCodeUnit, joined, type SampleList, sampleAt } from './dataset.ts'
import { PackedStrings } from './packedStrings.ts'
import { readShards } from './shardMembers.ts'
import { fileAt, openStoredData, placeOf, type StoredPlace } from './storedData.ts'
import { isStray, StrayNames } from './strayNames.ts'

/** An image in a store, without a label. */
export interface NamedImage {
  /** Its path below the address; that of an archive's member goes on after the archive's. */
  readonly name: string
  readonly source: StoredImage
}

/** Images in a fixed order, in some dozens of bytes each. */
export interface NamedImages extends Iterable<NamedImage> {
  readonly length: number
  /** @throws RangeError outside the list */
  at(index: number): NamedImage
}

/**
 * All images at an address in a store, sorted by name: those below a folder, in its archives if it
 * holds some as a dataset does, those that a table of labels names, or the one that is given.
 * Hidden ones are passed over.
 * @throws DataError if there is none
 * @throws StoreError for a store that cannot be read
 * @example for (const { name, source } of await storedImages('s3://photos')) console.log(name)
 */
export async function storedImages(address: string): Promise<NamedImages> {
  const single = PICTURE.test(address) ? await imageAt(address) : null
  if (single)
    return sorted(
      1,
      () => single.name,
      () => single.source,
    )
  const place = await placeOf(address)
  const images =
    place.archives.length > 0
      ? await membersOf(place)
      : place.table && place.table.name === place.root
        ? await tabledImages(address)
        : imagesOf(place)
  if (images.length > 0) return images
  throw new DataError(`${place.root} holds no image: it needs .jpg, .jpeg, .png or .webp`)
}

/** The image that an address itself names. */
async function imageAt(address: string): Promise<NamedImage | null> {
  const file = await fileAt(parseAddress(address))
  return file && { name: file.object.path, source: storedImage(file.store, file.object) }
}

function imagesOf({ listing }: StoredPlace): NamedImages {
  const rows = new Column(new Uint32Array(1024))
  let row = -1
  for (const path of listing.paths()) {
    row++
    if (PICTURE.test(path) && !path.split('/').some(isStray)) rows.push(row)
  }
  return sorted(
    rows.length,
    (index) => listing.path(rows.at(index)),
    (index) => storedImage(listing.store, listing.object(rows.at(index))),
  )
}

async function membersOf({ archives }: StoredPlace): Promise<NamedImages> {
  const names = new PackedStrings()
  const shards = new Column(new Uint32Array(1024))
  const starts = new Column(new Float64Array(1024))
  const lengths = new Column(new Float64Array(1024))
  let shard = 0
  for await (const [{ below }, { images }] of readShards(archives, new StrayNames())) {
    for (const { path, start, bytes } of images.values()) {
      names.push(`${below}/${path}`)
      shards.push(shard)
      starts.push(start)
      lengths.push(bytes)
    }
    shard++
  }
  return sorted(
    names.length,
    (index) => names.at(index),
    (index) => at(archives, shards.at(index)).sourceOf(starts.at(index), lengths.at(index)),
  )
}

async function tabledImages(address: string): Promise<NamedImages> {
  const { train, val } = await openStoredData(address, { testSet: true })
  const all: SampleList = joined(train, val)
  return sorted(
    all.length,
    (index) => sampleAt(all, index).name,
    (index) => sampleAt(all, index).source,
  )
}

/** @param sourceOf of a row, which is the place of an image before it is sorted */
function sorted(
  length: number,
  nameOf: (row: number) => string,
  sourceOf: (row: number) => Source,
): NamedImages {
  const names = Array.from({ length }, (_, row) => nameOf(row))
  const order = Uint32Array.from(names, (_, row) => row).sort((a, b) =>
    byCodeUnit(at(names, a), at(names, b)),
  )
  names.length = 0
  const image = (index: number): NamedImage => {
    const row = at(order, index)
    const source = sourceOf(row)
    if (!isStored(source)) throw new TypeError(`${nameOf(row)} is in no store`)
    return { name: nameOf(row), source }
  }
  return {
    length,
    at: image,
    *[Symbol.iterator]() {
      for (let index = 0; index < length; index++) yield image(index)
    },
  }
}
