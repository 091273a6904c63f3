import type { VNode } from 'preact'
import { counted, duration, percent } from '../base/format.ts'
import { Figure } from './figure.tsx'
import type { RunFigures } from './figures.ts'
import { type Bar, barDrawing } from './sections/charts.ts'
import { FoldedTable } from './sections/table.tsx'
import type { StepTimes } from './stepTimes.ts'

/** The phases of a run, in words. */
const phaseNames = {
  choosing: 'choosing the scenario',
  reading: 'reading images, and frozen layers',
  compiling: 'compiling kernels',
  training: 'training steps',
  validating: 'validating, and checkpoints',
} as const
const phases = Object.keys(phaseNames) as (keyof typeof phaseNames)[]

/** What the training's time was spent on, and what one training step takes. */
export function Time({
  figures: { timings, epochs, step },
}: {
  readonly figures: RunFigures
}): VNode {
  const inEpochs = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0)
  const perEpoch = epochs.length
    ? `${duration(inEpochs / epochs.length)} an epoch, ${counted(epochs.length, 'epoch')}`
    : 'no epochs'
  const total = timings && Object.values(timings).reduce((a, b) => a + b, 0)
  const bars: Bar[] = phases.flatMap((phase) =>
    timings && total && timings[phase] > 0
      ? [
          {
            name: phaseNames[phase],
            value: timings[phase],
            text: `${duration(timings[phase])}, ${percent(timings[phase] / total)}`,
          },
        ]
      : [],
  )
  return (
    <>
      <p>
        {total === null
          ? `${perEpoch}. This run did not record more.`
          : `${duration(total)} in all; ${perEpoch}.`}
      </p>
      {bars.length > 0 && (
        <>
          <Figure
            drawing={barDrawing(bars, 'seconds')}
            label={`Where the time went: ${textsOf(bars).join('; ')}.`}
          />
          <FoldedTable
            caption="Seconds"
            header={['what', 'seconds']}
            rows={bars.map(({ name, value }) => [name, value.toFixed(2)])}
            numbers={[1]}
          />
        </>
      )}
      {step && <Step step={step} />}
    </>
  )
}

/** A training step, layer by layer. */
function Step({ step: { pictures: images, layers } }: { readonly step: StepTimes }): VNode {
  const timed = layers.filter(({ forward, backward }) => forward + backward > 0)
  const total = timed
    .filter(({ once }) => !once)
    .reduce((sum, { forward, backward }) => sum + forward + backward, 0)
  const bars = timed.map(({ layer, forward, backward, once }) => ({
    name: once ? `${layer}, once` : layer,
    value: forward + backward,
    text: (forward + backward).toFixed(1),
  }))
  return (
    <>
      <h3>A training step of {images} images</h3>
      <p>
        GPU time on the adapter that made this report: {total.toFixed(1)} ms in layers that run in
        every step
        {timed.some(({ once }) => once)
          ? '; those marked "once" are frozen, and their outputs are kept'
          : ''}
        .
      </p>
      <Figure
        drawing={barDrawing(bars, 'milliseconds')}
        label={`GPU time by layer, in ms: ${textsOf(bars).join(', ')}.`}
      />
      <FoldedTable
        caption="Every layer"
        header={['layer', 'forward, ms', 'backward, ms', 'runs']}
        rows={timed.map(({ layer, forward, backward, once }) => [
          layer,
          forward.toFixed(2),
          backward.toFixed(2),
          once ? 'once an image' : 'every step',
        ])}
        numbers={[1, 2]}
      />
    </>
  )
}

function textsOf(bars: readonly { readonly name: string; readonly text: string }[]): string[] {
  return bars.map(({ name, text }) => `${name} ${text}`)
}
