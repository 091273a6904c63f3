import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import { openInput } from '../base/node/inputFile.ts'
import { type PassedOver, PICTURE } from '../host/imageFormat.ts'
import { Catalog, type Part } from './catalog.ts'
import { Column } from './column.ts'
import { byCodeUnit, type ImageDataset } from './dataset.ts'
import { type DataOptions, resolveSplit } from './split.ts'
import { type TarMember, tarMembers } from './tarIndex.ts'

const SHARD = /\.tar$/i
/** A part's name as a word of a path: train/x, imagenet-val-000003.tar. */
const PART = /(^|[^a-z])(train|val|valid|validation)([^a-z]|$)/i
const LAYOUT =
  'images in class folders (train/cat/1.jpg or cat/1.jpg), ' +
  'or each beside a file of its class (1.jpg, 1.cls)'

/** The sorted paths of the tar archives in a folder and in its train/ and val/, relative to it. */
export async function findShards(dir: string): Promise<string[]> {
  const inFolder = async (prefix: string) => {
    const entries = await readdir(join(dir, prefix), { withFileTypes: true }).catch(() => [])
    return entries
      .filter((entry) => !entry.isDirectory() && SHARD.test(entry.name))
      .map((entry) => prefix + entry.name)
  }
  const found = await Promise.all(['', 'train/', 'val/'].map(inFolder))
  return found.flat().sort(byCodeUnit)
}

/**
 * Opens images in a tar archive or a folder of them (shards), for example in WebDataset's layout.
 * An image's class is the content of the file of its name with the extension .cls (000123.jpg,
 * 000123.cls), or else its folder in the archive (train/cat/1.jpg, cat/1.jpg), or else, if there
 * are no folders, the archive's name. Its part, train or val, is named by the first folder in the
 * archive, or by the archive's name or folder; if none of them names one, a seeded share of each
 * class is held out. Only headers are read now; images are read from the archive later, and nothing
 * is unpacked.
 * @throws DataError with one line that says what to do: no archive, one that is compressed, damaged
 * or cut short, an image without a class, and what `openImageFolder` refuses about classes
 * @throws UsageError for a split outside (0, 1) or a seed that is not a non-negative safe integer
 * @example const data = await openTarShards('imagenet') // a folder of train-000000.tar and others
 */
export async function openTarShards(
  path: string,
  options: DataOptions = {},
): Promise<ImageDataset> {
  const division = resolveSplit('openTarShards', options)
  const isFile = (await stat(path)).isFile()
  const shards = isFile ? [path] : (await findShards(path)).map((name) => join(path, name))
  if (shards.length === 0)
    throw new DataError(`${path} holds no .tar file: it needs archives with ${LAYOUT}`)
  const places = {
    shard: new Column(new Uint32Array(1024)),
    start: new Column(new Float64Array(1024)),
    bytes: new Column(new Float64Array(1024)),
  }
  const catalog = new Catalog((_, row) => ({
    path: at(shards, places.shard.at(row)),
    start: places.start.at(row),
    bytes: places.bytes.at(row),
  }))
  const classes = new Map<string, number>()
  for (const [index, shard] of shards.entries()) {
    const below = isFile ? basename(path) : shard.slice(join(path, '/').length)
    for (const { member, label, part } of await readShard(shard, below, catalog.passedOver)) {
      const known = classes.get(label) ?? classes.size
      classes.set(label, known)
      catalog.add(`${below}/${member.path}`, known, part)
      places.shard.push(index)
      places.start.push(member.start)
      places.bytes.push(member.bytes)
    }
  }
  return catalog.divide(path, catalog.sortClasses([...classes.keys()]), division)
}

interface LabeledMember {
  readonly member: TarMember
  readonly label: string
  readonly part: Part | null
}

/**
 * The images of one archive.
 * @param below its path relative to the dataset's root
 */
async function readShard(
  shard: string,
  below: string,
  passedOver: PassedOver,
): Promise<LabeledMember[]> {
  const images: TarMember[] = []
  const labelFiles: TarMember[] = []
  let described = false
  for await (const member of tarMembers(shard)) {
    const name = basename(member.path)
    if (name.startsWith('.')) continue
    if (PICTURE.test(name)) images.push(member)
    else if (name.endsWith('.cls')) labelFiles.push(member)
    else {
      passedOver.note(name)
      described ||= /\.(json|txt)$/i.test(name)
    }
  }
  const labels = await readLabels(shard, labelFiles)
  return images.map((member) => {
    const folders = member.path.split('/').filter((name) => name !== '.')
    folders.pop()
    const beside = labels.get(sampleKey(member.path))
    const [top] = folders
    const mayBePart = folders.length > 1 || beside !== undefined
    const own = top !== undefined && mayBePart ? partOf(top, true) : null
    const [folder] = own ? folders.slice(1) : folders
    const label =
      beside ??
      folder ??
      (described || labels.size > 0 ? undefined : basename(shard).replace(SHARD, ''))
    if (label === undefined || label === '')
      throw new DataError(
        `${shard}: nothing says which class ${member.path} is of: archives need ${LAYOUT}`,
      )
    return { member, label, part: own ?? partOf(below, false) }
  })
}

/** @param whole whether the part must be the whole name */
function partOf(name: string, whole: boolean): Part | null {
  const found = PART.exec(name)
  if (!found || (whole && found[2] !== name)) return null
  return found[2]?.toLowerCase() === 'train' ? 'train' : 'val'
}

/** What the files of one sample have in common: the path up to the first dot of the file's name. */
function sampleKey(path: string): string {
  const folder = path.lastIndexOf('/') + 1
  const dot = path.indexOf('.', folder)
  return dot < 0 ? path : path.slice(0, dot)
}

async function readLabels(
  shard: string,
  members: readonly TarMember[],
): Promise<Map<string, string>> {
  const labels = new Map<string, string>()
  if (members.length === 0) return labels
  const { file } = await openInput(shard)
  try {
    for (const { path, start, bytes } of members) {
      const { buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, start)
      labels.set(sampleKey(path), buffer.toString('utf8').trim())
    }
  } finally {
    await file.close()
  }
  return labels
}
