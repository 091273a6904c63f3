import { setTimeout as pause } from 'node:timers/promises'
import { at } from '../src/base/at.ts'
import { rest } from '../src/host/node/rest.ts'
import { medianPeak, type Peak } from './limit.ts'
import { median, sum } from './statistics.ts'

/** The libraries that are compared, Graft first. A ratio is tfjs_webgpu's time over Graft's. */
export const competitors = [
  'graft',
  'tfjs_webgpu',
  'tfjs_wasm',
  'tfjs_cpu',
  'jaxjs',
  'ort',
  'pytorch',
] as const
export type Competitor = (typeof competitors)[number]

/** One computation, ready to be timed many times. */
export interface Contestant {
  /** Runs it once and returns the time in milliseconds. */
  time(): Promise<number>
  /** Its result in PyTorch's layout. */
  values(): Promise<Float32Array>
  /** The most GPU memory that it has used so far; missing if that is not counted. */
  peakBytes?(): number
  dispose(): void | Promise<void>
}

/** Prepares each competitor for a row. */
export type Contestants = Partial<Record<Competitor, () => Promise<Contestant>>>

/** One element of the result in float64, and how much a float32 result may differ from it. */
export interface Expected {
  readonly index: number
  readonly value: number
  readonly tolerance: number
}

/** One row of the benchmark. */
export interface Case {
  readonly name: string
  readonly pass: string
  readonly shape: string
  readonly family:
    | 'conv'
    | 'dense'
    | 'gemm'
    | 'memory'
    | 'inference'
    | 'training'
    | 'transfer'
    | 'start'
  readonly flops: number
  /** The fewest bytes that have to be read and written. */
  readonly bytes: number
  expected(): readonly Expected[] | Promise<readonly Expected[]>
  /** Why a competitor is missing. */
  readonly note?: string
  readonly contestants: Readonly<Contestants>
}

/** A competitor's times in one row. */
export interface Timing {
  /** Median of the runs; NaN if there was none. */
  readonly ms: number
  /** Fastest and slowest run. */
  readonly spread: readonly [number, number]
  readonly runs: number
  readonly peakBytes?: number
  /** Why its values cannot be trusted: it failed, or they are wrong. */
  readonly error?: string
}

export interface ContestOptions {
  readonly rounds: number
  /**
   * Milliseconds that all runs of a competitor may take together; after that it is not timed again.
   * Graft has four times as long, since all ratios depend on its time.
   */
  readonly patience: number
  /** Measures the device's limits; done before and after the rounds. */
  limit(): Promise<Peak>
}

export interface Outcome {
  readonly timings: Readonly<Partial<Record<Competitor, Timing>>>
  /** The device's limits at the time of the row. */
  readonly peak: Peak
}

/**
 * Milliseconds to wait before each run: tfjs and the garbage collector free memory only some time
 * after the result.
 */
const SETTLE = 30

interface Entry {
  readonly who: Competitor
  readonly times: number[]
  contestant?: Contestant
  error?: string
}

/**
 * Runs a row: first every competitor once, to warm up and to check its values, then all in turn,
 * round by round. If the machine gets slower, it does so for all of them.
 */
export async function contest(
  wanted: Case,
  { rounds, patience, limit }: ContestOptions,
): Promise<Outcome> {
  const expected = await wanted.expected()
  const entries: Entry[] = []
  try {
    for (const who of competitors) {
      const open = wanted.contestants[who]
      if (!open) continue
      const entry: Entry = { who, times: [] }
      entries.push(entry)
      await attempt(entry, async () => {
        entry.contestant = await open()
        const wrong = disagreement(expected, await entry.contestant.values())
        if (wrong) entry.error = wrong
      })
    }
    const before = await limit()
    for (let round = 0; round < rounds; round++)
      for (const entry of entries) {
        const { who, contestant, times } = entry
        if (contestant && sum(times) < (who === 'graft' ? 4 : 1) * patience)
          await attempt(entry, async () => {
            await pause(SETTLE)
            const time = contestant.time()
            rest(time) // waiting must not use the competitor's cores
            times.push(await time)
          })
      }
    const peak = medianPeak([before, await limit()])
    return {
      peak,
      timings: Object.fromEntries(entries.map((entry) => [entry.who, timingOf(entry)])),
    }
  } finally {
    for (const { contestant } of entries) await contestant?.dispose()
  }
}

/** An error is noted in the row; the other competitors continue. */
async function attempt(entry: Entry, body: () => Promise<void>): Promise<void> {
  try {
    await body()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    entry.error ??= at(message.split('\n'), 0)
  }
}

function timingOf({ contestant, times, error }: Entry): Timing {
  const bytes = contestant?.peakBytes?.()
  return {
    ms: median(times),
    spread: times.length ? [Math.min(...times), Math.max(...times)] : [Number.NaN, Number.NaN],
    runs: times.length,
    ...(bytes === undefined ? {} : { peakBytes: bytes }),
    ...(error === undefined ? {} : { error }),
  }
}

function disagreement(expected: readonly Expected[], values: Float32Array): string | null {
  for (const { index, value, tolerance } of expected) {
    const got = at(values, index)
    if (!(Math.abs(got - value) <= tolerance))
      return (
        `wrong: element ${index} is ${got.toPrecision(6)}, and should be ` +
        `${value.toPrecision(6)} within ${tolerance.toExponential(1)}`
      )
  }
  return null
}
