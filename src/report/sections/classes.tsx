import type { VNode } from 'preact'
import { percent, percentRange } from '../../base/format.ts'
import type { Share } from '../../base/interval.ts'
import { widthOf } from '../../base/textWidth.ts'
import type { ClassFigures } from '../statistics.ts'
import { Table } from './table.tsx'

interface ClassesProps {
  readonly perClass: readonly ClassFigures[]
  /** Whether the intervals are shown too. */
  readonly intervals?: boolean
}

/**
 * Whether the table of classes and their matrix take the width of the page, and do not stand side
 * by side.
 * @param most classes, and columns of text in a name, that have room in half of it
 */
export function takeWidth(
  classes: readonly string[],
  most: { readonly classes: number; readonly width: number },
): boolean {
  return classes.length > most.classes || classes.some((name) => widthOf(name) > most.width)
}

/** Precision and recall of each class. */
export function Classes({ perClass, intervals = false }: ClassesProps): VNode {
  const measures = ['precision', 'recall'] as const
  const cells = (share: Share | null) => [
    share ? percent(share.value) : '–',
    ...(intervals ? [share ? percentRange(share.low, share.high) : 'none to count'] : []),
  ]
  const header = [
    'class',
    'images',
    ...measures.flatMap((name) => (intervals ? [name, `${name}, 95 %`] : [name])),
  ]
  return (
    <>
      <p class="note">
        Precision: of the images taken for a class, how many are of it. Recall: of the images of a
        class, how many are found.
      </p>
      <Table
        caption="Precision and recall of each class"
        header={header}
        rows={perClass.map(({ name, pictures, precision, recall }) => [
          name,
          pictures,
          ...cells(precision),
          ...cells(recall),
        ])}
        numbers={header.map((_, column) => column).slice(1)}
      />
    </>
  )
}
