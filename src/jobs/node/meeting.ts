/** The end of a round: when all slots are there, or enough of them once the deadline has passed. */
import type { Job } from '../job.ts'
import type { Outcome, Runner, RunOptions } from '../runner.ts'

/** Why slots that are missing are given up. */
class RoundOver extends Error {}

export interface MeetingRules {
  /** Milliseconds; infinite to wait for all. */
  readonly deadline: number
  /** How many results are enough after it. */
  readonly quorum: number
}

/**
 * Has the jobs of a round done.
 * @returns what came of each, in their order; null for those that came too late
 * @throws the signal's reason once it is aborted
 */
export async function meet(
  runner: Runner,
  jobs: readonly Job[],
  { deadline, quorum }: MeetingRules,
  options: Omit<RunOptions, 'total' | 'onOutcome'>,
): Promise<(Outcome | null)[]> {
  const over = new AbortController()
  const places = new Map(jobs.map((job, i) => [job, i]))
  const outcomes = jobs.map((): Outcome | null => null)
  let [done, late] = [0, false]
  const check = () => {
    if (late && done >= quorum) over.abort(new RoundOver('a round is over'))
  }
  const timer = Number.isFinite(deadline)
    ? setTimeout(() => {
        late = true
        check()
      }, deadline)
    : undefined
  const { signal } = options
  try {
    await runner.run(jobs, {
      ...options,
      total: jobs.length,
      signal: signal ? AbortSignal.any([signal, over.signal]) : over.signal,
      onOutcome: (outcome) => {
        const place = places.get(outcome.job)
        // What comes after the end has come too late, however little.
        if (place === undefined || over.signal.aborted) return
        outcomes[place] = outcome
        if ('result' in outcome) done++
        check()
      },
    })
  } catch (error) {
    if (error !== over.signal.reason || !over.signal.aborted) throw error
  } finally {
    clearTimeout(timer)
  }
  return outcomes
}
