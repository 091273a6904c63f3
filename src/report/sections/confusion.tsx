import type { VNode } from 'preact'
import { useMemo } from 'preact/hooks'
import { at } from '../../base/at.ts'
import { mistakesOf } from '../statistics.ts'
import { confusionDrawing } from './charts.ts'
import type { FigureView } from './figure.tsx'
import { FoldedTable } from './table.tsx'

/** With more classes than this, only the most frequent mistakes are listed. */
const drawnClasses = 40
const listedMistakes = 20

interface ConfusionProps {
  readonly classes: readonly string[]
  /** Images by true class (rows) and predicted class (columns). */
  readonly confusion: readonly (readonly number[])[]
  readonly Figure: FigureView
}

/** Which classes are taken for which: the confusion matrix and the most frequent mistakes. */
export function Confusion({ classes, confusion, Figure }: ConfusionProps): VNode {
  const drawing = useMemo(() => confusionDrawing(classes, confusion), [classes, confusion])
  const rows = mistakesOf(confusion)
    .slice(0, listedMistakes)
    .map(({ actual, predicted, count }) => [at(classes, actual), at(classes, predicted), count])
  const [worst] = rows
  const isDrawn = classes.length <= drawnClasses
  return (
    <>
      {isDrawn && (
        <>
          <p class="note">
            Rows are what the images are, columns what they were taken for; the stronger the color,
            the larger the share of the row.
          </p>
          <Figure
            drawing={drawing}
            label={`Confusion matrix of ${classes.length} classes. ${
              worst
                ? `The most frequent mistake: ${worst[0]} taken for ${worst[1]}, ${worst[2]} times.`
                : 'No image is mistaken.'
            }`}
          />
        </>
      )}
      {worst ? (
        <FoldedTable
          open={!isDrawn}
          caption="The most frequent mistakes"
          header={['is', 'taken for', 'images']}
          rows={rows}
          numbers={[2]}
        />
      ) : (
        <p>Every image is right.</p>
      )}
    </>
  )
}
