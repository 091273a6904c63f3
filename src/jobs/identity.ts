import { isRecord } from '../base/json.ts'
import { sha256 } from '../base/sha256.ts'
import type { Job } from './job.ts'

/**
 * A value's JSON with the keys of its objects in order: the same for every value that is the same.
 * @example canonicalJson({ b: 1, a: [2] }) // '{"a":[2],"b":1}'
 */
export function canonicalJson(value: unknown): string {
  const ordered = (_: string, one: unknown): unknown =>
    isRecord(one) ? Object.fromEntries(Object.entries(one).sort(byName)) : one
  return JSON.stringify(value, ordered)
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/**
 * What a job is called, everywhere: a hash of what it says, behind a letter, since queues take no
 * name of digits alone.
 * @example await jobId(job) // 'j3a7bd3e2360a3d29eea436fcfb7e44c7'
 */
export async function jobId(job: Job): Promise<string> {
  const hash = await sha256(new TextEncoder().encode(canonicalJson(job)))
  return `j${hash.slice(0, 32)}`
}
