import * as Plot from '@observablehq/plot'
import { useCallback, useMemo, useState } from 'preact/hooks'
import { at } from '../../../base/at.ts'
import type { InspectedEpoch } from '../../inspection.ts'
import {
  type FittedEpoch,
  fitSmall,
  predicted,
  type SmallTraining,
  truth,
} from '../../overfitting.ts'
import { inspection } from '../model.ts'
import { Plotted } from '../plotted.tsx'
import { Slider } from '../slider.tsx'
import { Lesson } from './lesson.tsx'
import { Notice } from './notice.tsx'

const noise = 0.3

/** A small model that learns its points by heart, and the training of the inspected network. */
export function OverfittingChapter() {
  const [count, setCount] = useState(10)
  const training = useMemo(() => fitSmall(count, noise), [count])
  const { epochs, best } = training
  const [place, setPlace] = useState(best)
  const shown = at(epochs, place)
  const drawFit = useCallback(
    (width: number) => drawPoints(training, shown, width),
    [training, shown],
  )
  const drawLoss = useCallback(
    (width: number) =>
      drawLosses(
        epochs.filter(({ epoch }) => epoch > 0),
        { width, chosen: shown.epoch, best: at(epochs, best).epoch, log: true },
      ),
    [epochs, best, shown],
  )
  return (
    <>
      <Lesson
        figure={
          <div class="columns">
            <Plotted
              label={`The points and the model's curve after epoch ${shown.epoch}`}
              draw={drawFit}
              widest={620}
            />
            <Plotted label="Both errors by epoch" draw={drawLoss} widest={620} />
          </div>
        }
        after={
          <Notice>
            <ul>
              <li>
                Move the epoch to the right: the training error goes to nothing, the curve bends
                through every point, and the error on the others rises.
              </li>
              <li>
                With 60 points to train on the same model overfits much less: more images help most.
              </li>
              <li>
                The best epoch is in the middle. Graft keeps the epoch that did best on the
                validation images, not the last one.
              </li>
            </ul>
          </Notice>
        }
      >
        <p>
          A network that trains for long enough learns its training images by heart: their noise,
          too. That is <b>overfitting</b>, and it shows on images that it was not trained on. This
          page trains a tiny model of 24 weights, by gradient descent, on a few noisy points of a
          curve (●), and judges it on 40 others (○).
        </p>
        <Slider
          label="Points to train on"
          min={5}
          max={80}
          value={count}
          text={String(count)}
          onValue={setCount}
        />
        <Slider
          label="Stop after epoch"
          min={0}
          max={epochs.length - 1}
          value={place}
          text={String(shown.epoch)}
          onValue={setPlace}
        />
        <p class="verdict" aria-live="polite">
          Error on the training points {shown.trainLoss.toFixed(3)}, on the others{' '}
          {shown.valLoss.toFixed(3)}.{' '}
          <span class="quiet">
            The others are predicted best after epoch {at(epochs, best).epoch}:{' '}
            {at(epochs, best).valLoss.toFixed(3)}.
          </span>
        </p>
      </Lesson>
      {inspection.history.length > 1 ? <OwnTraining history={inspection.history} /> : null}
    </>
  )
}

/** The losses of the run that is inspected. */
function OwnTraining({ history }: { readonly history: readonly InspectedEpoch[] }) {
  const best = history.reduce((a, b) => (b.valLoss < a.valLoss ? b : a))
  const last = at(history, history.length - 1)
  const draw = useCallback(
    (width: number) => drawLosses(history, { width, chosen: null, best: best.epoch, log: false }),
    [history, best],
  )
  return (
    <Lesson
      figure={<Plotted label="Training and validation loss by epoch" draw={draw} widest={760} />}
    >
      <h4>The training of this network</h4>
      <p>
        The validation loss was lowest after epoch {best.epoch} of {last.epoch}
        {best.epoch < last.epoch && last.trainLoss < best.trainLoss
          ? ': after it the training loss went on falling, so it has begun to overfit.'
          : ': there is no sign of overfitting in these epochs.'}
      </p>
    </Lesson>
  )
}

function drawPoints({ train, val }: SmallTraining, { weights }: FittedEpoch, width: number) {
  const xs = Array.from({ length: 201 }, (_, i) => i / 200)
  return Plot.plot({
    width,
    height: Math.max(220, Math.min(320, width * 0.55)),
    marginLeft: 36,
    style: { background: 'transparent', color: 'inherit', fontSize: '13px' },
    x: { domain: [0, 1], ticks: [], label: null },
    y: { domain: [-2, 2], ticks: 5, label: null },
    clip: true,
    marks: [
      Plot.line(xs, {
        x: (x: number) => x,
        y: truth,
        stroke: 'var(--quiet)',
        strokeDasharray: '4 4',
      }),
      Plot.line(xs, {
        x: (x: number) => x,
        y: (x: number) => predicted(weights, x),
        stroke: 'var(--gradient)',
        strokeWidth: 2.5,
      }),
      Plot.dot(val, { x: 'x', y: 'y', r: 3.5, stroke: 'var(--forward)' }),
      Plot.dot(train, { x: 'x', y: 'y', r: 4.5, fill: 'var(--gradient)' }),
    ],
  })
}

interface LossPlot {
  readonly width: number
  /** An epoch to mark; null for none. */
  readonly chosen: number | null
  readonly best: number
  readonly log: boolean
}

/** Both losses by epoch, with their names at the end of the lines. */
function drawLosses(
  epochs: readonly Pick<InspectedEpoch, 'epoch' | 'trainLoss' | 'valLoss'>[],
  { width, chosen, best, log }: LossPlot,
) {
  const finite = epochs.filter((one) => Number.isFinite(one.trainLoss + one.valLoss))
  const last = finite.slice(-1)
  const valAbove = last.some(({ trainLoss, valLoss }) => valLoss > trainLoss)
  const line = (y: 'trainLoss' | 'valLoss', stroke: string, name: string) => [
    Plot.line(finite, { x: 'epoch', y, stroke, strokeWidth: 2.5 }),
    Plot.text(last, {
      x: 'epoch',
      y,
      text: () => name,
      dx: 6,
      // The names stay apart where the lines meet.
      dy: (y === 'valLoss') === valAbove ? -7 : 7,
      textAnchor: 'start' as const,
      fill: stroke,
    }),
  ]
  return Plot.plot({
    width,
    height: Math.max(220, Math.min(320, width * 0.55)),
    marginLeft: 44,
    marginRight: 84,
    marginBottom: 38,
    style: { background: 'transparent', color: 'inherit', fontSize: '13px' },
    x: {
      type: log ? 'log' : 'linear',
      label: 'epoch',
      ticks: log || finite.length > 8 ? 5 : finite.map(({ epoch }) => epoch),
      tickFormat: '~s',
    },
    y: { label: 'loss', grid: true, ticks: 5, zero: true },
    marks: [
      Plot.ruleX([best], { stroke: 'var(--right)', strokeDasharray: '4 3' }),
      Plot.text([best], {
        x: (epoch: number) => epoch,
        text: () => 'best',
        frameAnchor: 'top',
        dx: 16,
        fill: 'var(--right)',
      }),
      ...(chosen ? [Plot.ruleX([chosen], { stroke: 'currentColor', strokeOpacity: 0.5 })] : []),
      ...line('trainLoss', 'var(--gradient)', 'training'),
      ...line('valLoss', 'var(--forward)', 'validation'),
    ],
  })
}
