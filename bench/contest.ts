/** Those who compute a row. `graft` first; a ratio is tfjs_webgpu's time over Graft's. */
export const competitors = ['graft', 'tfjs_webgpu', 'tfjs_wasm', 'tfjs_cpu', 'jaxjs', 'ort'] as const
export type Competitor = (typeof competitors)[number]

/** One computation, ready to be timed again and again. */
export interface Contestant {
  /** Runs it once and gives the time it took, in milliseconds. */
  time(): Promise<number>
  /** Its result in PyTorch's layout. */
  values(): Promise<Float32Array>
  dispose(): void
}

/** What one element of the result is, in float64, and how far a float32 sum may lie from it. */
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
  readonly family: 'conv' | 'dense' | 'gemm' | 'memory' | 'inference' | 'training'
  readonly flops: number
  /** Bytes that have to move at the least. */
  readonly bytes: number
  expected(): readonly Expected[] | Promise<readonly Expected[]>
  /** Why a competitor is missing. */
  readonly note?: string
  readonly contestants: Readonly<Partial<Record<Competitor, () => Promise<Contestant>>>>
}

/** What a competitor came to in one row. */
export interface Timing {
  /** Median of the runs. */
  readonly ms: number
  /** Fastest and slowest run. */
  readonly spread: readonly [number, number]
  readonly runs: number
  /** Why its values cannot be trusted: it failed, or they are wrong. */
  readonly error?: string
}

export interface ContestOptions {
  readonly rounds: number
  /** A competitor slower than this many milliseconds is run twice only. */
  readonly slow: number
}

export type Outcome = Partial<Record<Competitor, Timing>>

/**
 * Runs a row: every competitor once to warm up and for its values, then all in turn, round by round, so that a machine whose speed
 * drifts slows all of them alike.
 */
export async function contest(wanted: Case, { rounds, slow }: ContestOptions): Promise<Outcome> {
  const expected = await wanted.expected()
  const running: { readonly who: Competitor; readonly contestant: Contestant; readonly times: number[]; error?: string }[] = []
  const outcome: Outcome = {}
  try {
    for (const who of competitors) {
      const open = wanted.contestants[who]
      if (!open) continue
      try {
        const contestant = await open()
        const entry: (typeof running)[number] = { who, contestant, times: [] }
        running.push(entry)
        const wrong = disagreement(expected, await contestant.values())
        if (wrong) entry.error = wrong
      } catch (error) {
        const failed = running.at(-1)?.who === who ? running.at(-1) : undefined
        if (failed) failed.error = reason(error)
        else outcome[who] = { ms: Number.NaN, spread: [Number.NaN, Number.NaN], runs: 0, error: reason(error) }
      }
    }
    for (let round = 0; round < rounds; round++)
      for (const { who, contestant, times } of running) {
        if (round >= 2 && median(times) > slow) continue
        try {
          times.push(await contestant.time())
        } catch (error) {
          outcome[who] ??= { ms: Number.NaN, spread: [Number.NaN, Number.NaN], runs: 0, error: reason(error) }
        }
      }
    for (const { who, times, error } of running)
      if (times.length)
        outcome[who] = {
          ms: median(times),
          spread: [Math.min(...times), Math.max(...times)],
          runs: times.length,
          ...(error ? { error } : {}),
        }
  } finally {
    for (const { contestant } of running) contestant.dispose()
  }
  return outcome
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2
    ? (sorted[Math.floor(middle)] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}

function disagreement(expected: readonly Expected[], values: Float32Array): string | null {
  for (const { index, value, tolerance } of expected) {
    const got = values[index] ?? Number.NaN
    if (!(Math.abs(got - value) <= tolerance))
      return `wrong: element ${index} is ${got.toPrecision(6)}, and should be ${value.toPrecision(6)} within ${tolerance.toExponential(1)}`
  }
  return null
}

function reason(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? 'failed'
}
