import { useMemo } from 'preact/hooks'
import { counted, duration, percent, percentRange } from '../base/format.ts'
import { confusionDrawing } from '../report/charts.ts'
import { mistakesOf, type Share } from '../report/statistics.ts'
import { Table } from '../report/table.tsx'
import { ChartView } from './chart.tsx'
import type { Result } from './workerApi.ts'

/** What a training came to, on the images that were held out. */
export function Results({ result }: { readonly result: Result }) {
  const { accuracy, keptEpoch, aborted, stoppedEarly, epochs } = result
  const ended = aborted
    ? `Stopped: epoch ${keptEpoch} is kept.`
    : stoppedEarly
      ? `Stopped early: nothing got better after epoch ${keptEpoch}.`
      : ''
  return (
    <>
      <p class="headline" data-testid="accuracy" data-value={accuracy?.value}>
        {accuracy ? percent(accuracy.value) : 'none'}{' '}
        <span class="quiet">of {counted(accuracy?.of ?? 0, 'image')} held out are right</span>
      </p>
      <p>
        {ended}{' '}
        {accuracy &&
          `The true share lies between ${percentRange(accuracy.low, accuracy.high, 'and')}, 95 times in 100.`}{' '}
        {counted(epochs.length, 'epoch')} took {duration(result.seconds)}; loss{' '}
        {result.loss.toFixed(3)}.
      </p>
      <div class="columns">
        <Confusion result={result} />
        <Classes result={result} />
      </div>
    </>
  )
}

/** Classes whose confusion is drawn; of more only the commonest mistakes are told. */
const drawnClasses = 40
const toldMistakes = 10

function Confusion({ result: { classes, confusion } }: { readonly result: Result }) {
  const drawing = useMemo(() => confusionDrawing(classes, confusion), [classes, confusion])
  const mistakes = mistakesOf(confusion)
  const rows = mistakes
    .slice(0, toldMistakes)
    .map(({ actual, predicted, count }) => [classes[actual] ?? '', classes[predicted] ?? '', count])
  const [worst] = mistakes
  const label = worst
    ? `Confusion matrix. The commonest mistake: ${classes[worst.actual]} taken for ${classes[worst.predicted]}, ${worst.count} times.`
    : 'Confusion matrix. No image is mistaken.'
  return (
    <section aria-labelledby="confusion">
      <h3 id="confusion">What is taken for what</h3>
      {classes.length <= drawnClasses && (
        <>
          <p class="quiet">Rows are what the images are, columns what they are taken for.</p>
          <ChartView drawing={drawing} label={label} />
        </>
      )}
      {rows.length > 0 ? (
        <details open={classes.length > drawnClasses}>
          <summary>The commonest mistakes</summary>
          <Table
            caption="The commonest mistakes"
            header={['is', 'taken for', 'images']}
            rows={rows}
            numbers={[2]}
          />
        </details>
      ) : (
        <p>Every image is right.</p>
      )}
    </section>
  )
}

function Classes({ result: { perClass } }: { readonly result: Result }) {
  const share = (value: Share | null) => (value ? percent(value.value) : '–')
  return (
    <section aria-labelledby="per-class">
      <h3 id="per-class">Class by class</h3>
      <p class="quiet">
        Precision: of those taken for the class, how many are of it. Recall: of those of the class,
        how many are found.
      </p>
      <Table
        caption="Precision and recall of each class"
        header={['class', 'images', 'precision', 'recall']}
        rows={perClass.map(({ name, images, precision, recall }) => [
          name,
          images,
          share(precision),
          share(recall),
        ])}
        numbers={[1, 2, 3]}
      />
    </section>
  )
}
