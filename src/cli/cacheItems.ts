import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../base/errors.ts'
import { cacheFolder } from '../base/node/cacheFolder.ts'
import { withLock } from '../base/node/lock.ts'

/** What lies in the cache folder, by the folder of each kind. */
const kinds = {
  features: {
    place: /^features$/,
    purpose: 'outputs of frozen layers, for the next training on the same images',
    each: false,
  },
  tunings: {
    place: /^tunings$/,
    purpose: 'which kernels are fastest on each adapter (tune)',
    each: false,
  },
  models: {
    place: /^models$/,
    purpose: 'networks of the jobs that a worker took from a queue',
    each: false,
  },
  weights: { place: /^weights$/, purpose: 'trained networks that were fetched', each: true },
  datasets: { place: /^datasets$/, purpose: 'named datasets that were fetched', each: true },
  swiftshader: {
    place: /^swiftshader-/,
    purpose: 'a driver that computes on the CPU, unpacked',
    each: false,
  },
} as const

export type Kind = keyof typeof kinds
export const cacheKinds = Object.keys(kinds) as readonly Kind[]

/** A part of the cache that is deleted as a whole. */
export interface CacheItem {
  readonly kind: Kind
  readonly name: string
  readonly path: string
  /** Bytes of all its files. */
  readonly size: number
  /** When a file of it was last written, in milliseconds since 1970. */
  readonly used: number
  readonly purpose: string
}

/** What is cached, in the order of kinds and names. */
export async function cacheItems(): Promise<CacheItem[]> {
  const root = cacheFolder()
  const names = (await readdir(root).catch(() => [])).sort()
  const items: CacheItem[] = []
  for (const kind of cacheKinds) {
    const { place, purpose, each } = kinds[kind]
    for (const name of names.filter((found) => place.test(found))) {
      const folder = join(root, name)
      const parts = each ? (await readdir(folder)).filter((part) => !part.endsWith('.lock')) : ['']
      for (const part of parts.sort()) {
        const path = join(folder, part)
        const { size, used, files } = await contentOf(path)
        if (files > 0) items.push({ kind, name: part || name, path, size, used, purpose })
      }
    }
  }
  return items
}

/** The files at a path, links not followed. */
async function contentOf(path: string): Promise<{ size: number; used: number; files: number }> {
  const found = await lstat(path).catch(() => null)
  if (!found) return { size: 0, used: 0, files: 0 }
  if (!found.isDirectory()) return { size: found.size, used: found.mtimeMs, files: 1 }
  const inner = await Promise.all(
    (await readdir(path).catch(() => [])).map((name) => contentOf(join(path, name))),
  )
  return {
    size: inner.reduce((sum, { size }) => sum + size, 0),
    used: Math.max(0, ...inner.map(({ used }) => used)),
    files: inner.reduce((sum, { files }) => sum + files, 0),
  }
}

/** The lock of an item that a process holds while it writes there, and those below the item. */
async function locksOf({ kind, name, path }: CacheItem): Promise<string[]> {
  const below = (await readdir(path, { recursive: true }).catch(() => []))
    .filter((file) => file.endsWith('.lock'))
    .map((file) => join(path, file))
  // The archives of a dataset that is being fetched lie beside it, behind a dot.
  const own = name.replace(/^\.(.+?)\..*$/, '$1')
  return kind === 'datasets' ? [join(path, '..', `${own}.lock`), ...below] : below
}

/**
 * Deletes an item of the cache, unless another process holds a lock of it.
 * @returns why it was kept, or null
 */
export async function removeItem(item: CacheItem): Promise<string | null> {
  const taken = (holder: string) => new UsageError(`another process${holder} is writing there`)
  const remove = () => rm(item.path, { recursive: true, force: true })
  // All locks are held at once, the first one outermost.
  const guarded = (await locksOf(item)).reduceRight(
    (body, lock) => () => withLock(lock, { taken }, body),
    remove,
  )
  try {
    await guarded()
    return null
  } catch (error) {
    if (error instanceof Error) return error.message
    throw error
  }
}
