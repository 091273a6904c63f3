import type { VNode } from 'preact'
import { at } from '../base/at.ts'
import { layersOf, percent, percentRange, thousands } from '../base/format.ts'
import { PageHeader } from '../look/header.tsx'
import { listNames } from '../weights/arrays.ts'
import { Figure } from './figure.tsx'
import type { Report, RunFigures } from './figures.ts'
import { renderPage } from './page.tsx'
import { reliabilityDrawing } from './sections/charts.ts'
import { Classes } from './sections/classes.tsx'
import { Confusion } from './sections/confusion.tsx'
import { Epochs } from './sections/epochs.tsx'
import { Evidence } from './sections/evidence.tsx'
import { FoldedTable, Table } from './sections/table.tsx'
import { TopLosses } from './sections/topLosses.tsx'
import { Time } from './time.tsx'

/** A run's report as one HTML file that needs nothing beside it. */
export function runPage({ figures, images }: Report): string {
  const { run, data, plan, accuracy } = figures
  const title = `Report on ${run}`
  const { classes } = data
  const sections: readonly (readonly [id: string, title: string, content: VNode | null])[] = [
    ['scenario', 'The scenario, and why', <Scenario key="scenario" figures={figures} />],
    ['curves', 'Training', <Training key="curves" figures={figures} />],
    ['classes', 'Classes', <Classes key="classes" perClass={figures.perClass} intervals />],
    [
      'confusion',
      'What is taken for what',
      <Confusion key="confusion" classes={classes} confusion={figures.confusion} Figure={Figure} />,
    ],
    [
      'calibration',
      'How far to trust its confidence',
      <Calibration key="calibration" figures={figures} />,
    ],
    [
      'losses',
      'Where it is most wrong',
      images.length ? <Losses key="losses" figures={figures} images={images} /> : null,
    ],
    ['time', 'Where the time went', <Time key="time" figures={figures} />],
  ]
  const shown = sections.filter(([, , content]) => content !== null)
  return renderPage(
    title,
    <>
      <PageHeader kind="training report" title={title} />
      <p class="quiet">
        {figures.network} on {data.root}: {thousands(data.train)} images to train on,{' '}
        {thousands(data.val)} held out, {classes.length} classes. Every number below is of the
        images held out; an interval contains the true value 95 times in 100.
      </p>
      <dl class="figures">
        <Headline
          name="accuracy"
          value={accuracy ? percent(accuracy.value) : 'none'}
          note={accuracy ? percentRange(accuracy.low, accuracy.high) : ''}
        />
        {classes.length > 10 && figures.top5 && (
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
      <p class="quiet">
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
      <dd class="quiet">{note}</dd>
    </div>
  )
}

function Scenario({ figures: { plan, choice, options } }: Props): VNode {
  const shown = Object.entries(options).flatMap(([name, value]) =>
    value === null || value === undefined
      ? []
      : [[name, typeof value === 'string' ? value : JSON.stringify(value)]],
  )
  const valuesIn = (names: readonly string[], values: number) =>
    names.length ? `${thousands(values)} values in ${layersOf(names)}` : 'nothing'
  const namesIn = (part: string, names: readonly string[]) =>
    names.length ? [[part, listNames(names)]] : []
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
          ...namesIn('left of the weights, as it does not fit', plan.left),
          ...namesIn('ignored in the weights', plan.ignored),
          ['frozen', valuesIn(plan.frozen, plan.frozenValues)],
          ['trained', valuesIn(plan.trained, plan.trainedValues)],
        ]}
      />
      {choice && <Evidence choice={choice} />}
      <FoldedTable caption="Every option of the run" header={['option', 'value']} rows={shown} />
    </>
  )
}

function Training({ figures: { epochs } }: Props): VNode {
  const last = epochs.at(-1)
  if (!last) return <p>No epoch was finished.</p>
  const best = epochs.reduce((a, b) => (b.valAccuracy > a.valAccuracy ? b : a))
  return (
    <>
      <p>
        Best accuracy on images held out: {percent(best.valAccuracy)} in epoch {best.epoch}; after
        the last, {last.epoch}: {percent(last.valAccuracy)}.
      </p>
      <Epochs epochs={epochs} last={last} Figure={Figure} />
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
        drawing={reliabilityDrawing(bins)}
        label={`Accuracy against confidence. The expected calibration error is ${percent(error)}.`}
      />
      <FoldedTable
        caption="Every bin"
        header={['confidence', 'images', 'mean confidence', 'accuracy']}
        rows={rows}
        numbers={[1, 2, 3]}
      />
    </>
  )
}

function Losses({ figures: { topLosses }, images }: Props & Pick<Report, 'images'>): VNode {
  return (
    <>
      <p>
        The images with the largest losses. Beside each, in color, the parts that the prediction
        depends on: where a gray square over the image lowers the probability of the predicted class
        the most (occlusion).
      </p>
      <TopLosses
        topLosses={topLosses}
        draw={({ name, predicted }, i) => {
          const { seen, overlaid } = at(images, i)
          return (
            <div class="pair">
              <ImageView src={seen} alt={`${name}, as the network sees it`} />
              <ImageView
                src={overlaid}
                alt={`The same in gray; colored where it matters most for ${predicted}`}
              />
            </div>
          )
        }}
      />
    </>
  )
}

function ImageView({ src, alt }: { readonly src: string; readonly alt: string }): VNode {
  return <img src={src} alt={alt} width={192} height={192} />
}
