import { isUtf8 } from 'node:buffer'
import { at } from '../base/at.ts'
import { DataError } from '../base/errors.ts'
import { PICTURE } from '../host/imageFormat.ts'
import type { DataFile } from './dataFile.ts'
import type { StrayNames } from './strayNames.ts'
import { type TarMember, tarMembers } from './tarIndex.ts'

/** Bytes of a file that holds a class. */
const mostLabelBytes = 2 ** 12

/** The files of one archive. */
export interface ShardMembers {
  /** By path: of several with one path the last counts, as when the archive is unpacked. */
  readonly images: ReadonlyMap<string, TarMember>
  readonly others: readonly string[]
  readonly links: readonly string[]
  readonly repeated: readonly string[]
  /** Whether files beside the images say something else than their class. */
  readonly described: boolean
  /** The classes that files beside the images say, by the key of the sample. */
  readonly labels: ReadonlyMap<string, string>
}

/** Archives that are read at a time: a store takes some hundredths of a second to answer. */
const atOnce = 16

/**
 * Reads archives, several at a time, and gives their members in the order of the archives.
 * @param stray gets the names that are passed over
 * @throws DataError for one that is no tar archive, compressed, damaged or cut short
 */
export async function* readShards<A extends { readonly file: DataFile }>(
  archives: readonly A[],
  stray: StrayNames,
): AsyncGenerator<readonly [A, ShardMembers], void, undefined> {
  const begun: (readonly [A, Promise<ShardMembers>])[] = []
  for (let next = 0; next < archives.length || begun.length > 0; ) {
    while (next < archives.length && begun.length < atOnce) {
      const archive = at(archives, next++)
      const members = readShard(archive.file, stray)
      members.catch(() => undefined) // it is told when its turn comes
      begun.push([archive, members])
    }
    const [first] = begun.splice(0, 1)
    if (first) yield [first[0], await first[1]]
  }
}

async function readShard(file: DataFile, stray: StrayNames): Promise<ShardMembers> {
  const shard = file.name
  const images = new Map<string, TarMember>()
  const labelFiles = new Map<string, TarMember>()
  const repeated: string[] = []
  const others: string[] = []
  const links: string[] = []
  for await (const member of tarMembers(file)) {
    if (stray.notePath(member.path)) continue
    const isImage = PICTURE.test(member.path)
    const isLabel = member.path.endsWith('.cls')
    if (member.kind === 'link') {
      if (isImage || isLabel) links.push(member.path)
      continue
    }
    const { path } = member
    if (images.has(path) || labelFiles.has(path)) repeated.push(path)
    if (isImage) images.set(path, member)
    else if (isLabel) labelFiles.set(path, member)
    else others.push(path)
    if (member.kind === 'sparse' && (isImage || isLabel))
      throw new DataError(
        `${shard}: ${member.path} is stored as a sparse file, without its zeros: ` +
          'make the archive again without --sparse',
      )
  }
  const described = others.some((path) => /\.(json|txt)$/i.test(path))
  const labels = await readLabels(file, labelFiles)
  return { images, others, links, repeated, described, labels }
}

/** What the files of one sample have in common: the path up to the first dot of the file's name. */
export function sampleKey(path: string): string {
  const folder = path.lastIndexOf('/') + 1
  const dot = path.indexOf('.', folder)
  return dot < 0 ? path : path.slice(0, dot)
}

async function readLabels(
  { name: shard, open }: DataFile,
  members: ReadonlyMap<string, TarMember>,
): Promise<Map<string, string>> {
  const labels = new Map<string, string>()
  if (members.size === 0) return labels
  const file = await open()
  try {
    for (const { path, start, bytes } of members.values()) {
      if (bytes > mostLabelBytes)
        throw new DataError(
          `${shard}: ${path} has ${bytes} bytes, and ${mostLabelBytes} are the most that a class ` +
            'may take',
        )
      const text = await file.read(start, bytes)
      if (!isUtf8(text))
        throw new DataError(`${shard}: the class in ${path} is not UTF-8: write it in UTF-8`)
      labels.set(
        sampleKey(path),
        text
          .toString('utf8')
          .replace(/^\ufeff/, '')
          .trim(),
      )
    }
  } finally {
    await file.close()
  }
  return labels
}
