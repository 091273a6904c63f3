import { randomUUID } from 'node:crypto'
import { link, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { at } from '../../base/at.ts'
import { type Entry, fsPath, readEntries } from '../../base/node/fileNames.ts'
import { makeFolder } from '../../base/node/folder.ts'
import { openInput, ReadError, readRange } from '../../base/node/inputFile.ts'
import { requirePath, type Store, type StoredObject, StoreError } from '../store.ts'

/** Of files that are being written, or were when their process was killed. */
const temporary = /^\.graft-[\da-f-]{36}\.tmp$/

/** Systems without hard links say so in one of these ways. */
const noLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/**
 * A folder as a store. Writes go to a temporary file, which is flushed to the disk and then takes
 * its place; for `ifAbsent` by a hard link, which the system refuses if there is a file already.
 * Where it has no hard links, a file is looked for first, and of two writers at one moment the
 * last one wins.
 */
export class FileStore implements Store {
  readonly address: string
  readonly #root: string

  constructor(root: string, address: string) {
    this.#root = root
    this.address = address
  }

  async stat(path: string): Promise<StoredObject | null> {
    const place = this.#place(path)
    try {
      return await objectAt(place, path)
    } catch (cause) {
      throw this.#error(path, cause)
    }
  }

  async read(
    path: string,
    part?: { readonly start: number; readonly bytes: number },
  ): Promise<Uint8Array> {
    try {
      const { file, size } = await openInput(this.#place(path))
      try {
        const { start, bytes } = part ?? { start: 0, bytes: size }
        if (start + bytes > size)
          throw new StoreError(
            'missing',
            `${this.#called(path)} ends at byte ${size}, before byte ${start + bytes}`,
          )
        return await readRange(path, file, start, bytes)
      } finally {
        await file.close()
      }
    } catch (cause) {
      throw this.#error(path, cause)
    }
  }

  async write(
    path: string,
    content: Uint8Array,
    { ifAbsent = false }: { readonly ifAbsent?: boolean } = {},
  ): Promise<boolean> {
    const place = this.#place(path)
    const folder = dirname(place)
    try {
      if (ifAbsent && (await objectAt(place, path))) return false
      await makeFolder(folder)
      return await replace(folder, place, content, ifAbsent)
    } catch (cause) {
      throw this.#error(path, cause)
    }
  }

  async *list(folder: string): AsyncGenerator<StoredObject, void, undefined> {
    if (folder !== '') requirePath(folder)
    yield* this.#below(folder, [])
  }

  async remove(path: string): Promise<void> {
    try {
      await rm(fsPath(this.#place(path)), { force: true })
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code !== 'ENOTDIR') throw this.#error(path, cause)
    }
  }

  async close(): Promise<void> {}

  /** @param above the real folders around it: a link back to one of them is not followed */
  async *#below(
    folder: string,
    above: readonly string[],
  ): AsyncGenerator<StoredObject, void, undefined> {
    const place = join(this.#root, folder)
    let entries: Entry[]
    let real: string
    try {
      real = await realpath(fsPath(place), { encoding: 'latin1' })
      if (above.includes(real)) return
      entries = await readEntries(place)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return
      throw this.#error(folder, cause)
    }
    const sorted = (await inGroups(entries, (entry) => sortable(place, entry)))
      .flatMap((entry) => entry ?? [])
      .sort((a, b) => Buffer.compare(a.key, b.key))
    const pathOf = (name: string) => (folder === '' ? name : `${folder}/${name}`)
    for (let start = 0; start < sorted.length; ) {
      const first = sorted[start]
      if (first?.isFolder) {
        yield* this.#below(pathOf(first.name), [...above, real])
        start++
        continue
      }
      const next = sorted.slice(start, start + atOnce)
      const end = next.findIndex(({ isFolder }) => isFolder)
      const files = end < 0 ? next : next.slice(0, end)
      const found = files.map(({ name }) => objectAt(join(place, name), pathOf(name)))
      for (const [i, object] of (await Promise.all(found)).entries()) {
        const file = at(files, i)
        if (object) yield object
        // Whoever reads it will say that it leads nowhere.
        else if (file.isLink) yield { path: pathOf(file.name), bytes: 0, version: 'broken link' }
      }
      start += files.length
    }
  }

  #place(path: string): string {
    return join(this.#root, requirePath(path))
  }

  #called(path: string): string {
    return `${this.address}/${path}`
  }

  #error(path: string, cause: unknown): StoreError {
    if (cause instanceof StoreError) return cause
    const { code, message } = ((cause as Error).cause ?? cause) as NodeJS.ErrnoException
    const why = (problem: StoreError['problem'], reason: string) =>
      new StoreError(problem, `${this.#called(path)}: ${reason}`, { cause })
    if (cause instanceof ReadError && cause.problem !== 'other')
      return why(readProblems[cause.problem], cause.reason)
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
      return why('denied', `no permission there (${code}); change its access rights`)
    if (code === 'ENOENT') return why('missing', 'there is no such file')
    if (code === 'EEXIST' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'ENOTEMPTY')
      return why('refused', 'a file and a folder would have the same name')
    if (code === 'ENAMETOOLONG') return why('refused', 'the name is too long for this disk')
    return why('unreachable', message)
  }
}

/** Files whose state is asked for at a time. */
const atOnce = 64

/** Does something to each, some at a time. */
async function inGroups<I, O>(items: readonly I[], work: (item: I) => Promise<O>): Promise<O[]> {
  const results: O[] = []
  for (let start = 0; start < items.length; start += atOnce)
    results.push(...(await Promise.all(items.slice(start, start + atOnce).map(work))))
  return results
}

interface Sortable {
  /** A folder stands where its objects do: `a.b` comes before what is in `a`. */
  readonly key: Buffer
  readonly name: string
  readonly isFolder: boolean
  readonly isLink: boolean
}

/** An entry of a folder; null for what is neither, and for what is being written. */
async function sortable(folder: string, entry: Entry): Promise<Sortable | null> {
  const { name } = entry
  if (temporary.test(name)) return null
  const isLink = entry.isSymbolicLink()
  const target = isLink ? await stat(fsPath(join(folder, name))).catch(() => null) : entry
  const isFolder = target?.isDirectory() ?? false
  if (target && !isFolder && !target.isFile()) return null
  return { key: Buffer.from(fsPath(isFolder ? `${name}/` : name)), name, isFolder, isLink }
}

const readProblems = {
  missing: 'missing',
  denied: 'denied',
  folder: 'missing',
  irregular: 'refused',
  'too-large': 'refused',
} as const

/** The file of a path; null if there is none. */
async function objectAt(place: string, path: string): Promise<StoredObject | null> {
  const found = await stat(fsPath(place), { bigint: true }).catch(
    (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return null
      throw cause
    },
  )
  if (!found?.isFile()) return null
  const { ino, size, mtimeNs, ctimeNs } = found
  return { path, bytes: Number(size), version: [ino, size, mtimeNs, ctimeNs].join('-') }
}

async function replace(
  folder: string,
  place: string,
  content: Uint8Array,
  ifAbsent: boolean,
): Promise<boolean> {
  const written = fsPath(join(folder, `.graft-${randomUUID()}.tmp`))
  try {
    const file = await open(written, 'wx')
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    if (!ifAbsent || !(await linked(written, place))) await rename(written, fsPath(place))
    return true
  } catch (cause) {
    if (ifAbsent && (cause as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw cause
  } finally {
    await rm(written, { force: true })
  }
}

/** Gives a file its name, if that is free; returns false where there are no hard links. */
async function linked(written: string | Buffer, place: string): Promise<boolean> {
  try {
    await link(written, fsPath(place))
    return true
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException
    if (!noLinks.has(code)) throw cause
    return false
  }
}
