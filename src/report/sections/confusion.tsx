import type { VNode } from 'preact'
import { at } from '../../base/at.ts'
import { counted, percent } from '../../base/format.ts'
import { mistakesOf } from '../statistics.ts'
import { FoldedTable, scrollRegion } from './table.tsx'

/** With more classes than this, only the most frequent mistakes are listed. */
const drawnClasses = 60
/** With more classes than this, cells are small and have no numbers; a pointer reads them. */
const numberedClasses = 30
const listedMistakes = 20

/** Where the images of a cell are shown; null where none are. */
export type HrefOf = (actual: number, predicted: number) => string | null

interface ConfusionProps {
  readonly classes: readonly string[]
  /** Images by true class (rows) and predicted class (columns). */
  readonly confusion: readonly (readonly number[])[]
  readonly hrefOf?: HrefOf
}

/** Which classes are taken for which: the confusion matrix and the most frequent mistakes. */
export function Confusion({ classes, confusion, hrefOf = () => null }: ConfusionProps): VNode {
  const rows = mistakesOf(confusion)
    .slice(0, listedMistakes)
    .map(({ actual, predicted, count }) => {
      const href = hrefOf(actual, predicted)
      const name = at(classes, predicted)
      return [at(classes, actual), href ? <a href={href}>{name}</a> : name, count]
    })
  const isDrawn = classes.length <= drawnClasses
  return (
    <>
      {isDrawn && <Matrix classes={classes} confusion={confusion} hrefOf={hrefOf} />}
      {rows.length ? (
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

function Matrix({ classes, confusion, hrefOf }: Required<ConfusionProps>): VNode {
  const numbered = classes.length <= numberedClasses
  return (
    <>
      <p class="note">
        Rows are what the images are, columns what they were taken for. The diagonal is right; the
        stronger the color, the larger the share of the row.
      </p>
      <p class="title">Images by class, and what they were taken for</p>
      <div {...scrollRegion('Confusion matrix')}>
        <table class={numbered ? 'matrix' : 'matrix small'}>
          <thead>
            <tr>
              <td />
              {classes.map((name, i) => (
                <th key={i} scope="col" title={name}>
                  <bdi>{name}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {confusion.map((row, actual) => (
              <Row key={actual} {...{ classes, row, actual, hrefOf, numbered }} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  )
}

interface RowProps extends Pick<Required<ConfusionProps>, 'classes' | 'hrefOf'> {
  readonly row: readonly number[]
  readonly actual: number
  readonly numbered: boolean
}

function Row({ classes, row, actual, hrefOf, numbered }: RowProps): VNode {
  const total = row.reduce((a, b) => a + b, 0)
  const name = at(classes, actual)
  return (
    <tr>
      <th scope="row" title={name}>
        <bdi>{name}</bdi>
      </th>
      {row.map((count, predicted) => {
        if (count === 0) return <td key={predicted} class={actual === predicted ? 'right' : ''} />
        const share = count / total
        const title =
          `${name}, taken for ${at(classes, predicted)}: ` +
          `${counted(count, 'image')}, ${percent(share)}`
        const href = hrefOf(actual, predicted)
        const text = numbered ? count : <span class="unseen">{count}</span>
        return (
          <td
            key={predicted}
            class={actual === predicted ? 'right' : 'wrong'}
            style={{ '--share': `${Math.round(6 + 40 * share)}%` }}
            title={title}
          >
            {href ? <a href={href}>{text}</a> : text}
          </td>
        )
      })}
    </tr>
  )
}
