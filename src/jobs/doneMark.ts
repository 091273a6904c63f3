import { type Form, misfit } from '../base/form.ts'
import { parseBounded } from '../base/json.ts'
import { printable } from '../base/printable.ts'
import { rule, text, wholeNumber } from '../base/rule.ts'
import { requirePath, type Store, StoreError } from '../store/store.ts'
import { JobError, type JobResult } from './job.ts'

const hash = rule('a SHA-256', (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value))
const path = rule('a path in a store', (value) => {
  try {
    return typeof value === 'string' && requirePath(value) === value
  } catch {
    return false
  }
})
const record = rule('an object', (value) => typeof value === 'object' && !Array.isArray(value))

/** Written beside JobResult: what a mark has to be, whoever wrote it. */
const form: Form<Omit<JobResult, 'facts'>> & { readonly fields: object } = {
  fields: {
    kind: text,
    adapter: { optional: text },
    images: wholeNumber,
    broken: { each: { fields: { name: text, reason: text } } },
    outputs: { each: { fields: { path, sha256: hash } } },
  },
}

const nameOf = (id: string) => `done/${id}.json`

/**
 * What came of a job that is done, in this run or in an earlier one; null if it is not.
 * @throws JobError for a mark that Graft has not written
 */
export async function findDone(store: Store, id: string): Promise<JobResult | null> {
  let bytes: Uint8Array
  try {
    bytes = await store.read(nameOf(id))
  } catch (error) {
    if (error instanceof StoreError && error.problem === 'missing') return null
    throw error
  }
  const where = `${store.address}/${nameOf(id)}`
  let value: unknown
  try {
    value = parseBounded(bytes)
  } catch (cause) {
    throw new JobError(`${where} ${cause instanceof Error ? cause.message : ''}: remove it`, {
      cause,
    })
  }
  const wrong =
    misfit(value, form) ??
    (record.fits((value as JobResult).facts) ? null : `facts has to be ${record.words}`)
  if (wrong !== null) throw new JobError(`${where} is no mark of a done job (${wrong}): remove it`)
  return value as JobResult
}

/** Says that a job is done: the last thing that it writes. The first mark stays. */
export async function markDone(store: Store, id: string, result: JobResult): Promise<void> {
  const text = `${JSON.stringify(result, null, 1)}\n`
  await store.write(nameOf(id), new TextEncoder().encode(text), { ifAbsent: true })
}

/** Takes a mark back: what the job has written is not needed any more, and may go. */
export async function forgetDone(store: Store, id: string): Promise<void> {
  await store.remove(nameOf(id))
}

/** Why something failed, in one printable line for a queue, an event or a manifest. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return printable(message.replace(/\n.*/s, '')).slice(0, 500)
}
