import type { VNode } from 'preact'
import { counted, duration, layersOf, percent, percentRange, thousands } from '../base/format.ts'
import { epochSeries } from './charts.ts'
import { epochTable } from './epochTable.ts'
import { EvidenceTable } from './evidence.tsx'
import type { Report, RunFigures } from './figures.ts'
import { Figure, renderPage } from './page.tsx'
import { barPlot, confusionPlot, linePlot, reliabilityPlot } from './plots.ts'
import { mistakesOf, type Share } from './statistics.ts'
import type { StepTimes } from './stepTimes.ts'
import { Table } from './table.tsx'

/** A run's report as one HTML file that needs nothing beside it. */
export function runPage({ figures, images }: Report): string {
  const { run, data, plan, accuracy } = figures
  const title = `Report on ${run}`
  const sections: readonly (readonly [string, string, VNode | null])[] = [
    ['scenario', 'The scenario, and why', <Scenario key="scenario" figures={figures} />],
    ['curves', 'Training', <Curves key="curves" figures={figures} />],
    ['classes', 'Classes', <Classes key="classes" figures={figures} />],
    ['confusion', 'What is taken for what', <Confusion key="confusion" figures={figures} />],
    [
      'calibration',
      'How far to trust its confidence',
      <Calibration key="calibration" figures={figures} />,
    ],
    [
      'losses',
      'Where it is most wrong',
      figures.topLosses.length ? <Losses key="losses" figures={figures} images={images} /> : null,
    ],
    ['time', 'Where the time went', <Time key="time" figures={figures} />],
  ]
  const shown = sections.filter(([, , content]) => content !== null)
  return renderPage(
    title,
    <>
      <h1>{title}</h1>
      <p class="soft">
        {figures.network} on {data.root}: {thousands(data.train)} images to train on,{' '}
        {thousands(data.val)} held out, {data.classes.length} classes. Every figure below is of the
        images held out; intervals hold the true value 95 times in 100.
      </p>
      <dl class="figures">
        <Headline
          name="accuracy"
          value={accuracy ? percent(accuracy.value) : 'none'}
          note={accuracy ? percentRange(accuracy.low, accuracy.high) : ''}
        />
        {data.classes.length > 10 && figures.top5 && (
          <Headline
            name="among the first five"
            value={percent(figures.top5.value)}
            note={percentRange(figures.top5.low, figures.top5.high)}
          />
        )}
        <Headline
          name="calibration error"
          value={percent(figures.calibration.error)}
          note="0 is best"
        />
        <Headline
          name="scenario"
          value={plan.scenario}
          note={figures.choice ? 'picked by auto' : 'set, not measured'}
        />
      </dl>
      <nav aria-label="Sections">
        <ul>
          {shown.map(([id, name]) => (
            <li key={id}>
              <a href={`#${id}`}>{name}</a>
            </li>
          ))}
        </ul>
      </nav>
      {shown.map(([id, name, content]) => (
        <section key={id} aria-labelledby={id}>
          <h2 id={id}>{name}</h2>
          {content}
        </section>
      ))}
      <p class="soft">
        graft {figures.graft} on {figures.adapter}
      </p>
    </>,
  )
}

interface Props {
  readonly figures: RunFigures
}

function Headline({
  name,
  value,
  note,
}: {
  readonly name: string
  readonly value: string
  readonly note: string
}): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
      <dd class="soft" style="font-size: .85rem; font-weight: 400">
        {note}
      </dd>
    </div>
  )
}

function Scenario({ figures: { plan, choice, options } }: Props): VNode {
  const told = Object.entries(options).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : [[name, String(value)]],
  )
  const held = (names: readonly string[], values: number) =>
    names.length ? `${thousands(values)} values in ${layersOf(names)}` : 'nothing'
  return (
    <>
      <p>
        <strong>{plan.scenario}</strong>, from {plan.startsFrom} weights.{' '}
        {choice ? choice.reason : plan.reasons.join(' ')}
      </p>
      <Table
        caption="What became of the network"
        header={['part', 'what']}
        rows={[
          ['new', plan.added.map(({ name, description }) => `${name}: ${description}`).join(', ')],
          ['removed', plan.removed.join(', ') || 'nothing'],
          ['frozen', held(plan.frozen, plan.frozenValues)],
          ['trained', held(plan.trained, plan.trainedValues)],
        ]}
      />
      {choice && <EvidenceTable choice={choice} />}
      <details>
        <summary>Every option of the run</summary>
        <Table caption="Options" header={['option', 'value']} rows={told} />
      </details>
    </>
  )
}

function Curves({ figures: { epochs } }: Props): VNode {
  const last = epochs.at(-1)
  if (!last) return <p>No epoch was finished.</p>
  const best = epochs.reduce((a, b) => (b.valAccuracy > a.valAccuracy ? b : a))
  const [accuracy, loss] = [epochSeries(epochs, 'Accuracy'), epochSeries(epochs, 'Loss')]
  return (
    <>
      <p>
        Best accuracy on images held out: {percent(best.valAccuracy)} in epoch {best.epoch}; after
        the last, {last.epoch}: {percent(last.valAccuracy)}.
      </p>
      <Figure
        chart={linePlot(accuracy, { x: 'epoch', y: 'accuracy', share: true })}
        series={accuracy}
        label={`Accuracy by epoch. Held out it goes from ${percent(epochs[0]?.valAccuracy ?? 0)} to ${percent(last.valAccuracy)}, trained on to ${percent(last.trainAccuracy)}.`}
      />
      <Figure
        chart={linePlot(loss, { x: 'epoch', y: 'loss', share: false })}
        series={loss}
        label={`Loss by epoch. Held out it ends at ${last.valLoss.toFixed(3)}, trained on at ${last.trainLoss.toFixed(3)}.`}
        table={epochTable(epochs)}
      />
    </>
  )
}

function Classes({ figures: { perClass } }: Props): VNode {
  const share = (value: Share | null) =>
    value ? [percent(value.value), percentRange(value.low, value.high)] : ['–', 'none to count']
  return (
    <>
      <p>
        Precision: of the images taken for a class, how many are of it. Recall: of the images of a
        class, how many are found.
      </p>
      <Table
        caption="Precision and recall of each class"
        header={['class', 'images', 'precision', 'precision, 95 %', 'recall', 'recall, 95 %']}
        rows={perClass.map(({ name, images, precision, recall }) => [
          name,
          images,
          ...share(precision),
          ...share(recall),
        ])}
        numbers={[1, 2, 3, 4, 5]}
      />
    </>
  )
}

/** Classes whose confusion is drawn; of more only the commonest mistakes are told. */
const drawnClasses = 40
const toldMistakes = 20

function Confusion({ figures: { data, confusion } }: Props): VNode {
  const { classes } = data
  const mistakes = mistakesOf(confusion)
  const rows = mistakes
    .slice(0, toldMistakes)
    .map(({ actual, predicted, count }) => [classes[actual] ?? '', classes[predicted] ?? '', count])
  const table = {
    caption: 'The commonest mistakes',
    header: ['is', 'taken for', 'images'],
    rows,
    numbers: [2],
  }
  const worst = mistakes[0]
  const label = worst
    ? `Confusion matrix of ${classes.length} classes. The commonest mistake: ${classes[worst.actual]} taken for ${classes[worst.predicted]}, ${worst.count} times.`
    : `Confusion matrix of ${classes.length} classes. No image is mistaken.`
  if (classes.length > drawnClasses) return <Table {...table} />
  return (
    <>
      <p>
        Rows are what the images are, columns what they were taken for; the stronger the color, the
        larger the share of the row.
      </p>
      <Figure
        chart={confusionPlot(classes, confusion)}
        label={label}
        table={rows.length ? table : undefined}
      />
    </>
  )
}

function Calibration({ figures: { calibration } }: Props): VNode {
  const { error, bins } = calibration
  const rows = bins.map((bin) => [
    `${Math.round(100 * bin.from)} to ${Math.round(100 * bin.to)} %`,
    bin.count,
    percent(bin.confidence),
    percent(bin.accuracy),
  ])
  const sums = bins.reduce((sum, bin) => sum + bin.count * (bin.confidence - bin.accuracy), 0)
  return (
    <>
      <p>
        Of the images on which the network is 80 % sure, 80 % should be right: bars on the dashed
        line. On average confidence is {(100 * error).toFixed(1)} percentage points off (expected
        calibration error); as a whole the network is{' '}
        {sums > 0 ? 'surer than it should be' : 'less sure than it could be'}.
      </p>
      <Figure
        chart={reliabilityPlot(bins)}
        label={`Reliability diagram: accuracy against confidence. The expected calibration error is ${percent(error)}.`}
        table={{
          caption: 'Every bin',
          header: ['confidence', 'images', 'mean confidence', 'accuracy'],
          rows,
          numbers: [1, 2, 3],
        }}
      />
    </>
  )
}

function Losses({ figures: { topLosses }, images }: Props & Pick<Report, 'images'>): VNode {
  return (
    <>
      <p>
        The images with the largest losses. Beside each, in color, what the answer hangs on: where a
        gray square over the image lowers the probability of the class it was taken for the most
        (occlusion).
      </p>
      <ol class="losses">
        {topLosses.map(({ name, actual, predicted, probability, actualProbability, loss }, i) => (
          <li key={name}>
            <figure>
              <div class="pair">
                <img
                  src={images[i]?.seen}
                  alt={`${name}, as the network sees it`}
                  width={192}
                  height={192}
                />
                <img
                  src={images[i]?.overlaid}
                  alt={`The same in gray; colored where it matters most for ${predicted}`}
                  width={192}
                  height={192}
                />
              </div>
              <figcaption>
                is <bdi>{actual}</bdi> ({percent(actualProbability)}), taken for{' '}
                <bdi class={actual === predicted ? undefined : 'wrong'}>{predicted}</bdi> (
                {percent(probability)}); loss {loss.toFixed(2)}
                <br />
                <small>
                  <bdi dir="ltr">{name}</bdi>
                </small>
              </figcaption>
            </figure>
          </li>
        ))}
      </ol>
    </>
  )
}

/** What each phase of a run is. */
const phaseNames = {
  choosing: 'choosing the scenario',
  reading: 'reading images, and frozen layers',
  compiling: 'compiling kernels',
  training: 'training steps',
  validating: 'validating, and checkpoints',
} as const

function Time({ figures: { timings, epochs, step } }: Props): VNode {
  const inEpochs = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0)
  const perEpoch = epochs.length
    ? `${duration(inEpochs / epochs.length)} an epoch, ${counted(epochs.length, 'epoch')}`
    : 'no epochs'
  if (!timings)
    return (
      <>
        <p>{perEpoch}. This run did not note more.</p>
        {step && <Step step={step} />}
      </>
    )
  const total = Object.values(timings).reduce((a, b) => a + b, 0)
  const bars = (Object.keys(phaseNames) as (keyof typeof phaseNames)[])
    .filter((phase) => timings[phase] > 0)
    .map((phase) => ({
      name: phaseNames[phase],
      value: timings[phase],
      text: `${duration(timings[phase])}, ${percent(timings[phase] / total)}`,
    }))
  return (
    <>
      <p>
        {duration(total)} in all; {perEpoch}.
      </p>
      <Figure
        chart={barPlot(bars, 'seconds')}
        label={`Where the time went: ${bars.map(({ name, text }) => `${name} ${text}`).join('; ')}.`}
        table={{
          caption: 'Seconds',
          header: ['what', 'seconds'],
          rows: bars.map(({ name, value }) => [name, value.toFixed(2)]),
          numbers: [1],
        }}
      />
      {step && <Step step={step} />}
    </>
  )
}

/** A training step, layer by layer. */
function Step({ step: { images, layers } }: { readonly step: StepTimes }): VNode {
  const told = layers.filter(({ forward, backward }) => forward + backward > 0)
  const total = told
    .filter(({ once }) => !once)
    .reduce((sum, { forward, backward }) => sum + forward + backward, 0)
  const frozen = told.some(({ once }) => once)
  const bars = told.map(({ layer, forward, backward, once }) => ({
    name: once ? `${layer}, once` : layer,
    value: forward + backward,
    text: (forward + backward).toFixed(1),
  }))
  const rows = told.map(({ layer, forward, backward, once }) => [
    layer,
    forward.toFixed(2),
    backward.toFixed(2),
    once ? 'once an image' : 'every step',
  ])
  return (
    <>
      <h3>A training step of {images} images</h3>
      <p>
        By the clock of the adapter that made this report: {total.toFixed(1)} ms in layers that run
        in every step
        {frozen ? '; those marked "once" are frozen, and what they give is kept' : ''}.
      </p>
      <Figure
        chart={barPlot(bars, 'milliseconds')}
        label={`GPU time by layer: ${bars.map(({ name, text }) => `${name} ${text} ms`).join(', ')}.`}
        table={{
          caption: 'Every layer',
          header: ['layer', 'forward, ms', 'backward, ms', 'runs'],
          rows,
          numbers: [1, 2],
        }}
      />
    </>
  )
}
