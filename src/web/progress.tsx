import { counted } from '../base/format.ts'
import type { Skipped } from '../train/events.ts'
import { timeLeftText } from '../train/timeLeft.ts'
import { Problem } from './fields.tsx'
import { isActive, type Run } from './run.ts'

/** The progress of a training, its remaining time, and the stop button. */
export function Progress({ run, onStop }: { readonly run: Run; readonly onStop: () => void }) {
  const { status, doing, left } = run
  return (
    <>
      {isActive(run) && (
        <div class="progress">
          <div class="row">
            <span data-testid="doing">
              {status === 'stopping' ? 'Stopping after this step' : doing.what}
            </span>
            <span class="quiet">{status === 'running' ? timeLeftText(left) : ''}</span>
          </div>
          <progress
            aria-label={doing.what}
            {...(doing.total > 0 ? { value: doing.done, max: doing.total } : {})}
          />
          {status !== 'judging' && (
            <button type="button" onClick={onStop} disabled={status === 'stopping'}>
              Stop
            </button>
          )}{' '}
          <span class="quiet">
            {run.epochs.length > 0
              ? 'The best round so far is kept.'
              : 'Nothing is kept before the first round.'}
          </span>
        </div>
      )}
      {run.problem &&
        (status === 'stopped' ? <p>{run.problem}</p> : <Problem>{run.problem}</Problem>)}
      {run.remarks.map((remark) => (
        <p key={remark} class="quiet">
          {remark}
        </p>
      ))}
      <SkippedImages skipped={run.skipped} />
      {/* A screen reader announces changes of an element that was there before. */}
      <p class="unseen" role="status" data-testid="said">
        {run.said}
      </p>
    </>
  )
}

function SkippedImages({ skipped }: { readonly skipped: readonly Skipped[] }) {
  if (skipped.length === 0) return null
  return (
    <details data-testid="skipped">
      <summary>{counted(skipped.length, 'broken image')} left out</summary>
      <ul>
        {skipped.map(({ name, reason }) => (
          <li key={name}>{reason}</li>
        ))}
      </ul>
    </details>
  )
}
