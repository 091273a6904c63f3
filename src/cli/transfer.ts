import { bytes, percent } from '../base/format.ts'
import type { Stop } from './interrupt.ts'
import type { Output } from './output.ts'

/** What a transfer tells while it runs; for `fetchWeights` and `fetchDataset`. */
export interface Shown {
  readonly signal: AbortSignal
  readonly onWait: (holder: string) => void
  /** What is done of the total: in bytes, or unpacked as a share of 1. */
  readonly onProgress: (phase: 'fetch' | 'unpack', done: number, total: number | null) => void
}

/** Milliseconds between two events of the same transfer. */
const eventEvery = 500

/**
 * Shows a transfer: a bar, an event now and then, and a sentence where it is stopped.
 * @param name what is fetched
 * @throws what `work` throws, or the error of `stop` once that was asked for
 */
export async function showTransfer(
  output: Output,
  name: string,
  stop: Stop,
  work: (shown: Shown) => Promise<string>,
): Promise<string> {
  let reportedAt = 0
  try {
    return await work({
      signal: stop.signal,
      onWait: (holder) =>
        output.labeled('waiting', `another process${holder} is fetching ${name} already`),
      onProgress(phase, done, total) {
        const share = total === null ? bytes(done) : `${bytes(done)} of ${bytes(total)}`
        if (phase === 'unpack') output.progress('unpacking', done, total ?? 1, percent(done))
        else output.progress('fetching', done, total ?? 2 * done, share)
        const now = performance.now()
        if (now - reportedAt < eventEvery && done !== total) return
        reportedAt = now
        output.event({ type: phase, name, done, total })
      },
    })
  } catch (error) {
    if (!stop.signal.aborted) throw error
    throw stop.error(
      `stopped: what has arrived of ${name} is kept, and fetching it goes on from there`,
    )
  } finally {
    output.endProgress()
  }
}
