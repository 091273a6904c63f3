import { Fragment, type VNode } from 'preact'
import { at } from '../base/at.ts'
import { layersOf, percent, thousands } from '../base/format.ts'
import type { FitOptions } from '../train/fitOptions.ts'
import { keptText } from '../train/kept.ts'
import { listNames } from '../weights/arrays.ts'
import { Figure } from './figure.tsx'
import type { Report, RunFigures } from './figures.ts'
import { mostImages, mostOfCell } from './gallery.ts'
import { Opening } from './opening.tsx'
import { renderPage } from './page.tsx'
import { CellImages, hrefsOf } from './sections/cells.tsx'
import { reliabilityDrawing } from './sections/charts.ts'
import { Classes, takeWidth } from './sections/classes.tsx'
import { Confusion } from './sections/confusion.tsx'
import { Epochs } from './sections/epochs.tsx'
import { Evidence } from './sections/evidence.tsx'
import { FoldedTable, Table } from './sections/table.tsx'
import { TopLosses } from './sections/topLosses.tsx'
import { Time } from './time.tsx'

type Section = readonly [id: string, title: string, content: VNode | null, isWhole: boolean]

/** A run's report as one HTML file that needs nothing beside it. */
export function runPage({ figures, images, cells }: Report): string {
  const { classes } = figures.data
  // What is long takes the width of the page; the rest stands two by two where there is room.
  const ofClasses = takeWidth(classes, { classes: 10, width: 20 })
  const sections: readonly Section[] = [
    ['scenario', 'The scenario, and why', <Scenario key="scenario" figures={figures} />, true],
    ['curves', 'Training', <Training key="curves" figures={figures} />, true],
    [
      'classes',
      'Classes',
      <Classes key="classes" perClass={figures.perClass} intervals />,
      ofClasses,
    ],
    [
      'confusion',
      'What is taken for what',
      <Fragment key="confusion">
        <Confusion classes={classes} confusion={figures.confusion} hrefOf={hrefsOf(cells)} />
        <p class="quiet click">
          Click a cell to see its images. The report holds at most {mostImages}, {mostOfCell} of a
          cell.
        </p>
        <CellImages classes={classes} cells={cells} />
      </Fragment>,
      ofClasses,
    ],
    [
      'losses',
      'Where it is most wrong',
      images.length ? <Losses key="losses" figures={figures} images={images} /> : null,
      true,
    ],
    [
      'calibration',
      'How far to trust its confidence',
      <Calibration key="calibration" figures={figures} />,
      false,
    ],
    ['time', 'Where the time went', <Time key="time" figures={figures} />, false],
  ]
  const shown = sections.filter(([, , content]) => content !== null)
  return renderPage(
    `Report on ${figures.run}`,
    <>
      <Opening figures={figures} cells={cells} />
      <nav aria-label="Sections">
        <ul>
          {shown.map(([id, name]) => (
            <li key={id}>
              <a href={`#${id}`}>{name}</a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="halves">
        {shown.map(([id, name, content, isWhole]) => (
          <div key={id} class={isWhole ? 'whole' : undefined}>
            <section aria-labelledby={id}>
              <h2 id={id}>{name}</h2>
              {content}
            </section>
          </div>
        ))}
      </div>
      <p class="quiet">
        Graft {figures.graft} on {figures.adapter}. Every number is of the images held out, unless
        it says otherwise; a 95 % interval contains the true value 95 times in 100. Images trained
        on are judged while an epoch trains.
      </p>
    </>,
  )
}

interface Props {
  readonly figures: RunFigures
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
      <div class="halves">
        <div>
          <p>
            <strong>{plan.scenario}</strong>, from {plan.startsFrom} weights.{' '}
            {choice ? choice.reason : plan.reasons.join(' ')}
          </p>
          <Table
            caption="What became of the network"
            header={['part', 'what']}
            rows={[
              [
                'new',
                plan.added.map(({ name, description }) => `${name}: ${description}`).join(', '),
              ],
              ['removed', plan.removed.join(', ') || 'nothing'],
              ...namesIn('left of the weights, as it does not fit', plan.left),
              ...namesIn('ignored in the weights', plan.ignored),
              ['frozen', valuesIn(plan.frozen, plan.frozenValues)],
              ['trained', valuesIn(plan.trained, plan.trainedValues)],
            ]}
          />
        </div>
        {choice && (
          <div>
            <Evidence choice={choice} />
          </div>
        )}
      </div>
      <FoldedTable caption="Every option of the run" header={['option', 'value']} rows={shown} />
    </>
  )
}

function Training({ figures: { epochs, options } }: Props): VNode {
  const last = epochs.at(-1)
  if (!last) return <p>No epoch was finished.</p>
  return (
    <>
      <p>On images held out: {keptText(epochs, options as Partial<FitOptions>)}.</p>
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
      <p class="title">Accuracy against confidence</p>
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
