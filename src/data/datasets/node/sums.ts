import { dirname, join } from 'node:path'
import envPaths from 'env-paths'
import { DataError } from '../../../base/errors.ts'
import { isRecord } from '../../../base/json.ts'
import { cannotWrite, writeFileAtomic } from '../../../base/node/atomicFile.ts'
import { makeFolder } from '../../../base/node/folder.ts'
import { ReadError, readInput } from '../../../base/node/inputFile.ts'

/*
 * The sums of archives that nobody publishes a sum of, as they were when they were fetched first:
 * one JSON file in the user's folder for settings, which clearing the cache leaves alone.
 */

const mostBytes = 2 ** 20

/** The file that keeps the sums. */
export function sumsFile(): string {
  return join(envPaths('graft', { suffix: '' }).config, 'datasets.json')
}

/** The sha256 of an archive when it was fetched first, or null. */
export async function firstSum(key: string): Promise<string | null> {
  return (await readSums()).get(key) ?? null
}

/** Keeps the sum of an archive's first download. */
export async function keepSum(key: string, sha256: string): Promise<void> {
  const path = sumsFile()
  const sums = await readSums()
  if (sums.has(key)) return
  await makeFolder(dirname(path)).catch((cause: unknown) => {
    throw cannotWrite(path, cause)
  })
  const all = Object.fromEntries(sums.set(key, sha256))
  await writeFileAtomic(path, `${JSON.stringify(all, null, 2)}\n`)
}

async function readSums(): Promise<Map<string, string>> {
  try {
    const found: unknown = JSON.parse((await readInput(sumsFile(), mostBytes)).toString())
    const entries = isRecord(found) ? Object.entries(found) : [['', null] as const]
    const isSum = (sum: unknown): sum is string =>
      typeof sum === 'string' && /^[0-9a-f]{64}$/.test(sum)
    return new Map(
      entries.map(([key, sum]) => {
        if (!isSum(sum)) throw new TypeError(`${key} has no sum`)
        return [key, sum]
      }),
    )
  } catch (cause) {
    if (cause instanceof ReadError && cause.problem === 'missing') return new Map()
    throw new DataError(
      `${sumsFile()} is no list of the sums of datasets any more; correct or remove it`,
      { cause },
    )
  }
}
