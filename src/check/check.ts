import { at } from '../base/at.ts'
import { DeviceLostError, GraftError } from '../base/errors.ts'
import { Random } from '../base/random.ts'
import { type RecordedDispatch, withSources } from '../gpu/recording.ts'
import { boundsOf, compareTensors, coordinates } from '../reference/agreement.ts'
import type { Engine } from '../tensor/tensor.ts'
import type { CheckCase, Finding, Subject } from './subject.ts'

/** What was found about one result of one subject, over all its cases. */
export interface CheckRow {
  readonly subject: string
  readonly kernels: 'fast' | 'plain'
  /** 'y', 'dx', 'dweight' …; 'run' where nothing could be computed. */
  readonly what: string
  readonly against: Finding['against'] | null
  /** The files under shaders/ whose launches it was computed by. */
  readonly files: readonly string[]
  readonly cases: number
  readonly failed: number
  /**
   * The case that comes closest to what it may be off by, or exceeds it the most; null where
   * nothing was computed.
   */
  readonly worst: WorstCase | null
  /** Why nothing was computed: what the compiler or the driver said. */
  readonly error: string | null
  readonly verdict: 'ok' | 'wrong' | 'fails'
}

export interface WorstCase {
  readonly case: string
  /**
   * The relative Frobenius error, and how much of it (and of absolute error, root mean square) is
   * allowed.
   */
  readonly relative: number
  readonly allowed: { readonly relative: number; readonly absolute: number }
  /** Where the largest difference is. */
  readonly at: readonly number[]
  readonly actual: number
  readonly expected: number
}

/** A kernel that the failures point to. */
export interface Suspect {
  readonly file: string
  /** How many of the results that it took part in are wrong. */
  readonly wrong: number
  readonly of: number
}

export interface CheckReport {
  readonly rows: readonly CheckRow[]
  /** The likeliest first; empty where nothing is wrong. */
  readonly suspects: readonly Suspect[]
  readonly ok: boolean
}

export interface CheckOptions {
  /** Cases of drawn shapes for each subject, besides the edges. Default 12. */
  readonly drawn?: number
  /** Decides the drawn shapes and values. Default 1. */
  readonly seed?: number
  readonly onRow?: (row: CheckRow) => void
}

/** One result of one case, compared. */
interface Judgment {
  readonly subject: string
  readonly kernels: 'fast' | 'plain'
  readonly what: string
  readonly against: Finding['against'] | null
  readonly files: readonly string[]
  readonly ok: boolean
  /** How much of what it may be off by it is off by. */
  readonly used: number
  readonly worst: WorstCase | null
  readonly error: string | null
}

/**
 * Checks kernels on the engines' adapter: every result against a float64 reference, gradients also
 * against finite differences, at the edges and at shapes drawn by the seed.
 * @param engines one with the fast kernels and one with the plain ones; a subject is checked on
 * those that it has kernels for
 * @throws DeviceLostError when the device is lost; a wrong kernel is in the report
 * @example const { ok, rows } = await checkKernels({ fast: engine }, subjects)
 */
export async function checkKernels(
  engines: Partial<Readonly<Record<'fast' | 'plain', Engine>>>,
  chosen: readonly Subject[],
  { drawn = 12, seed = 1, onRow }: CheckOptions = {},
): Promise<CheckReport> {
  const judgments: Judgment[] = []
  const rows: CheckRow[] = []
  for (const subject of chosen)
    for (const kernels of subject.kernels) {
      const engine = engines[kernels]
      if (!engine) continue
      const found: Judgment[] = []
      const cases = subject.cases(new Random(seed), drawn)
      for (const one of cases) found.push(...(await judge(engine, subject.name, kernels, one)))
      judgments.push(...found)
      for (const row of summarize(found)) {
        rows.push(row)
        onRow?.(row)
      }
    }
  return { rows, suspects: suspectsOf(judgments), ok: judgments.every(({ ok }) => ok) }
}

async function judge(
  engine: Engine,
  subject: string,
  kernels: 'fast' | 'plain',
  one: CheckCase,
): Promise<Judgment[]> {
  const recorder = engine.record()
  let findings: readonly Finding[] = []
  let error: string | null = null
  try {
    findings = await one.run(engine)
  } catch (thrown) {
    if (thrown instanceof DeviceLostError || !(thrown instanceof GraftError)) throw thrown
    error = thrown.message
  }
  const dispatches = await recorder.finish().then(
    (recording) => recording.dispatches,
    (thrown: unknown) => {
      if (thrown instanceof DeviceLostError || !(thrown instanceof GraftError)) throw thrown
      error ??= thrown.message
      return []
    },
  )
  if (error) {
    const files = filesOf(dispatches)
    return [
      {
        subject,
        kernels,
        what: 'run',
        against: null,
        files,
        ok: false,
        used: 0,
        worst: null,
        error,
      },
    ]
  }
  return findings.map((finding) => {
    const { what, against, passes, actual, expected, shape, tolerance } = finding
    const last = passes
      ? dispatches.filter(({ pass }) => passes.some((name) => pass?.split(', ').includes(name)))
      : dispatches
    const led = withSources(dispatches, last)
    const { ok, relative, used, worst } = compareTensors(actual, expected, tolerance)
    return {
      subject,
      kernels,
      what,
      against,
      files: filesOf(led),
      ok,
      used,
      error: null,
      worst: worst && {
        case: one.description,
        relative,
        allowed: boundsOf(tolerance),
        at: coordinates(worst.index, shape),
        actual: worst.actual,
        expected: worst.expected,
      },
    }
  })
}

function filesOf(dispatches: readonly RecordedDispatch[]): string[] {
  return [...new Set(dispatches.map(({ kernel }) => kernel))].sort()
}

/** One row for each kind of result, in the order of their first case. */
function summarize(judgments: readonly Judgment[]): CheckRow[] {
  const groups = new Map<string, Judgment[]>()
  for (const one of judgments) {
    const key = `${one.what} ${one.against}`
    const group = groups.get(key)
    if (group) group.push(one)
    else groups.set(key, [one])
  }
  return [...groups.values()].map((group) => {
    const first = at(group, 0)
    const failed = group.filter(({ ok }) => !ok)
    const candidates = failed.length > 0 ? failed : group
    const worst = candidates.reduce((a, b) => (b.used > a.used ? b : a))
    const error = group.find((one) => one.error)?.error ?? null
    return {
      subject: first.subject,
      kernels: first.kernels,
      what: first.what,
      against: first.against,
      files: [...new Set(group.flatMap(({ files }) => files))].sort(),
      cases: group.length,
      failed: failed.length,
      worst: worst.worst,
      error,
      verdict: error ? 'fails' : failed.length > 0 ? 'wrong' : 'ok',
    }
  })
}

/** How many suspects are shown: about as many kernels as one operator has. */
export const shownSuspects = 4

/**
 * The kernels of wrong results, likeliest first: by wrong / √(all wrong · of), which is high for a
 * kernel that led to most of the wrong results and to few right ones (Ochiai's coefficient; Abreu
 * et al., "On the accuracy of spectrum-based fault localization", 2007).
 */
function suspectsOf(judgments: readonly Judgment[]): Suspect[] {
  const files = new Map<string, { wrong: number; of: number }>()
  for (const { files: led, ok } of judgments)
    for (const file of led) {
      const count = files.get(file) ?? { wrong: 0, of: 0 }
      count.of++
      if (!ok) count.wrong++
      files.set(file, count)
    }
  const suspicion = ({ wrong, of }: Suspect) => wrong / Math.sqrt(of) // all wrong is common to all
  return [...files]
    .filter(([, { wrong }]) => wrong > 0)
    .map(([file, counts]) => ({ file, ...counts }))
    .sort((a, b) => suspicion(b) - suspicion(a) || (a.file < b.file ? -1 : 1))
}
