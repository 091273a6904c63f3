import { counted, duration, percent, percentRange } from '../base/format.ts'
import { Classes, takeWidth } from '../report/sections/classes.tsx'
import { Confusion } from '../report/sections/confusion.tsx'
import { TopLosses } from '../report/sections/topLosses.tsx'
import { keptText } from '../train/kept.ts'
import { type Project, pathOf } from './project.ts'
import { Thumbnail } from './thumbnail.tsx'
import type { Result } from './workerApi.ts'

interface ResultsProps {
  readonly result: Result
  /** What was trained on. */
  readonly project: Project
}

/** How well the trained network does on the images that were held out. */
export function Results({ result, project }: ResultsProps) {
  const { accuracy, keptEpoch, aborted, stoppedEarly, epochs } = result
  const ended = aborted
    ? `Stopped: epoch ${keptEpoch} is kept.`
    : stoppedEarly
      ? `Stopped early: no improvement after epoch ${keptEpoch}.`
      : `On images held out: ${keptText(epochs)}.`
  return (
    <>
      <p class="headline" data-testid="accuracy" data-value={accuracy?.value}>
        {accuracy ? percent(accuracy.value) : 'none'}{' '}
        {accuracy && (
          <span class="quiet">of {counted(accuracy.of, 'image')} held out are right</span>
        )}
      </p>
      <p>
        {ended}{' '}
        {accuracy && `95 % confidence interval: ${percentRange(accuracy.low, accuracy.high)}.`}{' '}
        {counted(epochs.length, 'epoch')} took {duration(result.seconds)}; loss{' '}
        {result.loss.toFixed(3)}.
      </p>
      <div class={takeWidth(result.classes, { classes: 7, width: 14 }) ? undefined : 'columns'}>
        <section aria-labelledby="confusion">
          <h3 id="confusion">What is taken for what</h3>
          <Confusion classes={result.classes} confusion={result.confusion} />
        </section>
        <section aria-labelledby="per-class">
          <h3 id="per-class">Class by class</h3>
          <Classes perClass={result.perClass} />
        </section>
      </div>
      <section aria-labelledby="losses">
        <h3 id="losses">Where it is most wrong</h3>
        <TopLosses
          topLosses={result.topLosses}
          draw={({ name }) => {
            const file = project.images.find((image) => pathOf(image) === name)?.file
            return file ? <Thumbnail file={file} alt={name} /> : null
          }}
        />
      </section>
    </>
  )
}
