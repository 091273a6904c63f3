import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { SampleList, Source } from './dataset.ts'

/** Files whose state is asked for at a time. */
const together = 256

/**
 * A key of 128 bits for each sample, as 32 hexadecimal digits, equal for the same picture in a later run; null for a file that is not there.
 *
 * A file is known by its path, its size and the times its content and its inode last changed, in nanoseconds; a member of an archive by the archive's
 * and its place in it; a picture in memory by its bytes. Reading a hundred thousand photographs to hash them takes longer than what this is for
 * saves; the time of the inode's last change, which no program can set, shows a file that was replaced with the old date and size. A
 * folder that was moved or copied has new keys.
 */
export async function sampleKeys(samples: SampleList): Promise<(string | null)[]> {
  const states = new Map<string, Promise<string | null>>()
  const keys: (string | null)[] = []
  let waiting: Promise<string | null>[] = []
  const flush = async () => {
    for (const key of await Promise.all(waiting)) keys.push(key)
    waiting = []
  }
  for (const { source } of samples) {
    waiting.push(keyOf(source, states))
    if (waiting.length === together) await flush()
  }
  await flush()
  return keys
}

/** @param archives the state of archives already asked for: each holds many pictures */
async function keyOf(source: Source, archives: Map<string, Promise<string | null>>): Promise<string | null> {
  if (source instanceof Uint8Array) return digest(source)
  if (source instanceof Blob) return digest(new Uint8Array(await source.arrayBuffer()))
  if (typeof source === 'string') {
    const state = await stateOf(source)
    return state === null ? null : digest(state)
  }
  const known = archives.get(source.path) ?? stateOf(source.path)
  archives.set(source.path, known)
  const state = await known
  return state === null ? null : digest(`${state}\0${source.start}\0${source.bytes}`)
}

async function stateOf(path: string): Promise<string | null> {
  try {
    const { size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [resolve(path), size, mtimeNs, ctimeNs].join('\0')
  } catch {
    return null
  }
}

function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 32)
}
