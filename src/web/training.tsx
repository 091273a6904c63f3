import { useEffect, useRef } from 'preact/hooks'
import { Epochs } from '../report/sections/epochs.tsx'
import { Figure } from './figure.tsx'
import { Live } from './live.tsx'
import { Progress } from './progress.tsx'
import type { Training } from './useTraining.ts'

/** The progress of a training, live and by epoch. */
export function TrainingView({ training }: { readonly training: Training }) {
  const { run, running, trainedOn, stop } = training
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    // The stop button disappears when training ends: its focus moves to the heading.
    if (run?.status === 'running' || (run && !running && document.activeElement === document.body))
      heading.current?.focus()
  }, [run?.status])
  if (!run || !trainedOn) return null
  const last = run.epochs.at(-1)
  return (
    <section aria-labelledby="training">
      <h3 id="training" tabIndex={-1} ref={heading}>
        Training
      </h3>
      <Progress run={run} onStop={stop} />
      {running && <Live run={run} project={trainedOn} />}
      {last &&
        (running ? (
          <Epochs epochs={run.epochs} last={last} Figure={Figure} />
        ) : (
          <details open={run.result === null}>
            <summary>How it went, round by round</summary>
            <Epochs epochs={run.epochs} last={last} Figure={Figure} />
          </details>
        ))}
    </section>
  )
}
