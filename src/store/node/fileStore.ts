import { randomUUID } from 'node:crypto'
import { link, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fsPath, nameOf } from '../../base/node/fileNames.ts'
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
    let names: string[]
    let real: string
    try {
      real = await realpath(fsPath(place), { encoding: 'latin1' })
      if (above.includes(real)) return
      names = (await readdir(fsPath(place), { encoding: 'buffer' })).map(nameOf)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return
      throw this.#error(folder, cause)
    }
    // A folder stands where its objects do: `a.b` comes before what is in `a`.
    const entries: { readonly key: Buffer; readonly path: string; readonly isFolder: boolean }[] =
      []
    for (const name of names) {
      if (temporary.test(name)) continue
      const path = folder === '' ? name : `${folder}/${name}`
      const found = await stat(fsPath(join(place, name))).catch(() => null)
      const isFolder = found?.isDirectory() ?? false
      if (isFolder || found?.isFile())
        entries.push({ key: Buffer.from(fsPath(isFolder ? `${name}/` : name)), path, isFolder })
    }
    entries.sort((a, b) => Buffer.compare(a.key, b.key))
    for (const { path, isFolder } of entries) {
      if (isFolder) yield* this.#below(path, [...above, real])
      else {
        const object = await objectAt(join(this.#root, path), path)
        if (object) yield object
      }
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
    if (!ifAbsent || !(await linked(written, place))) {
      await rename(written, fsPath(place))
      return true
    }
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
