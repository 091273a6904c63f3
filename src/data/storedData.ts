import { normalize } from 'node:path/posix'
import { DataError } from '../base/errors.ts'
import { PICTURE } from '../host/imageFormat.ts'
import { type Place, parseAddress, splitPlace, writeAddress } from '../store/node/address.ts'
import { openStore } from '../store/node/openStore.ts'
import type { StoredObject } from '../store/store.ts'
import { storedImage } from '../store/storedImage.ts'
import { type DataFile, storedFile } from './dataFile.ts'
import { formOf, namesFile, tableAmong } from './dataForm.ts'
import type { ImageDataset } from './dataset.ts'
import { openTable } from './labelFile.ts'
import type { FilesBelow } from './listedFiles.ts'
import { Listing } from './listing.ts'
import { datasetOfPaths } from './placedPaths.ts'
import { type DataOptions, type Division, resolveSplit } from './split.ts'
import { isStray } from './strayNames.ts'
import { type Archive, datasetOfArchives, holdsShards, shardsAmong, type Top } from './tarShards.ts'

/**
 * Opens labeled images in a store, as `openData` does on the disk. All objects below the address
 * are listed once; of a table its text is read, of archives their headers.
 */
export async function openStoredData(
  address: string,
  options: DataOptions = {},
): Promise<ImageDataset> {
  const division = resolveSplit('openData', options)
  const place = await placeOf(address)
  const { root, listing, table, archives, others } = place
  const data = table
    ? await openTable(table, filesBelow(listing), division)
    : archives.length > 0
      ? await datasetOfArchives(root, archives, others, division)
      : datasetOfFolders(place, division)
  return { ...data, remarks: [...(data.remarks ?? []), ...listing.remarks] }
}

/** What an address of images names. */
export interface StoredPlace {
  readonly root: string
  readonly listing: Listing
  /** The table of labels, if there is one. */
  readonly table: DataFile | null
  /** The archives that hold the images; if there are none, objects of the listing are images. */
  readonly archives: readonly Archive[]
  /** Folders beside the archives, which are not read. */
  readonly others: readonly string[]
}

/**
 * Looks at what lies at an address.
 * @throws DataError if it is no dataset, or there is nothing
 * @throws StoreError if the store cannot be read
 */
export async function placeOf(address: string): Promise<StoredPlace> {
  const place = parseAddress(address)
  const root = writeAddress(place)
  const file = namesFile(root) ? await fileAt(place) : null
  if (file && formOf(root) === 'archive')
    return archivesOf(root, await Listing.of(file.store, [file.object]), [file.object.path], [])
  const store = file?.store ?? (await openStore(root))
  const listing = await Listing.of(store)
  if (file) return tableOf(root, listing, storedFile(store, file.object, root))
  // An object that is no dataset has a line of its own.
  if (listing.length === 0 && (await fileAt(place))) formOf(root)
  if (listing.length === 0)
    throw new DataError(`there is nothing at ${root}: give the address of a folder of images`)
  const top = topOf(listing)
  const { shards, others } = shardsAmong(top)
  if (shards.length > 0) return archivesOf(root, listing, shards, others)
  const fileOf = (path: string) => storedFile(store, objectAt(listing, path))
  const table = await tableAmong(root, top.files, fileOf)
  if (table !== null) return tableOf(root, listing, fileOf(table))
  return { root, listing, table: null, archives: [], others: [] }
}

/** The object of an address itself, in the store around it. */
export async function fileAt(place: Place) {
  const split = splitPlace(place)
  if (!split) return null
  const store = await openStore(writeAddress(split.above))
  const object = await store.stat(split.name)
  return object && { store, object }
}

function tableOf(root: string, listing: Listing, table: DataFile): StoredPlace {
  return { root, listing, table, archives: [], others: [] }
}

function archivesOf(
  root: string,
  listing: Listing,
  shards: readonly string[],
  others: readonly string[],
): StoredPlace {
  const archives = shards.map((below): Archive => {
    const object = objectAt(listing, below)
    return {
      file: storedFile(listing.store, object),
      below,
      sourceOf: (start, bytes) => storedImage(listing.store, object, { start, bytes }),
    }
  })
  return { root, listing, table: null, archives, others }
}

function objectAt(listing: Listing, path: string): StoredObject {
  const object = listing.find(path)
  if (!object) throw new RangeError(`${path} is not listed`)
  return object
}

/** What lies at the top of a listing. */
function topOf(listing: Listing): Top {
  const files: string[] = []
  const folders = new Map<string, string[]>()
  for (const path of listing.paths()) {
    const slash = path.indexOf('/')
    if (slash < 0) {
      files.push(path)
      continue
    }
    const folder = path.slice(0, slash)
    const inside = folders.get(folder) ?? []
    folders.set(folder, inside)
    if (holdsShards(folder) && !path.includes('/', slash + 1)) inside.push(path.slice(slash + 1))
  }
  return { files, folders }
}

function datasetOfFolders({ root, listing }: StoredPlace, division: Division): ImageDataset {
  return datasetOfPaths(
    {
      root,
      nameOf: (path) => (path === '' ? root : `${root}/${path}`),
      paths: () => listing.paths(),
      sourceOf: (index) => storedImage(listing.store, listing.object(index)),
    },
    division,
  )
}

/** The objects around a table. */
function filesBelow(listing: Listing): FilesBelow {
  const { store } = listing
  const keyOf = (name: string) => normalize(name)
  return {
    folder: store.address,
    keyOf,
    isThere: async (name) => listing.find(keyOf(name)) !== undefined,
    async *images() {
      for (const path of listing.paths())
        if (PICTURE.test(path) && !path.split('/').some(isStray)) yield path
    },
    sourceOf(name) {
      const path = keyOf(name)
      return storedImage(store, listing.find(path) ?? { path, bytes: 0, version: 'missing' })
    },
  }
}
