import { useEffect, useMemo, useState } from 'preact/hooks'
import { percent } from '../base/format.ts'
import { lineDrawing } from '../report/sections/charts.ts'
import { Figure } from './figure.tsx'
import { type Project, pathOf } from './project.ts'
import type { Run } from './run.ts'
import { Thumbnail } from './thumbnail.tsx'

/** Milliseconds between two drawings of the curve. */
const drawEvery = 400

/** What can be seen while it learns: the loss of each step, and what a few images are taken for. */
export function Live({ run, project }: { readonly run: Run; readonly project: Project }) {
  const losses = useSeldom(run.losses)
  const chart = useMemo(() => {
    const series = [{ name: 'loss', color: 'var(--series-2)', points: losses }]
    return {
      drawing: lineDrawing(series, { x: 'rounds', y: 'loss', share: false, fromZero: true }),
    }
  }, [losses])
  if (losses.length === 0 && run.preview.length === 0)
    return <p class="quiet">The curve begins with the first step.</p>
  const last = losses.at(-1)
  return (
    <div class="columns live" data-testid="live">
      <div>
        <h3>How wrong it is</h3>
        <p class="quiet">The loss of every step: lower is better.</p>
        {losses.length > 1 && (
          <Figure {...chart} label={`Loss of every step, now ${last?.y.toFixed(3)}.`} />
        )}
      </div>
      <div>
        <h3>What it thinks now</h3>
        <p class="quiet">Of a few images that it does not learn from.</p>
        <ul class="previews" aria-label="Images held out, and what each is taken for">
          {run.preview.map(({ name, actual, predicted, probability }) => {
            const file = project.images.find((image) => pathOf(image) === name)?.file
            return (
              <li key={name}>
                {file && <Thumbnail file={file} alt={actual} />}
                <span class={actual === predicted ? 'right' : 'wrong'}>
                  <span aria-hidden="true">{actual === predicted ? '✓' : '✗'}</span>{' '}
                  <bdi>{predicted}</bdi>
                </span>{' '}
                <span class="quiet">{percent(probability)}</span>
              </li>
            )
          })}
        </ul>
      </div>
    </div>
  )
}

/** A value that changes no more often than it can be drawn. */
function useSeldom<T>(value: T): T {
  const [shown, setShown] = useState(value)
  const [waiting, setWaiting] = useState(false)
  useEffect(() => {
    if (waiting || shown === value) return
    setShown(value)
    setWaiting(true)
    setTimeout(() => setWaiting(false), drawEvery)
  }, [value, waiting])
  return shown
}
