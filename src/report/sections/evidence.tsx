import type { VNode } from 'preact'
import { percent, thousands, withError } from '../../base/format.ts'
import type { Choice } from '../../transfer/decide.ts'
import { Table } from './table.tsx'

/** What 'auto' measured: the accuracy of a linear classifier at each depth of the network. */
export function Evidence({ choice }: { readonly choice: Choice }): VNode {
  const { sampled, images, folds, chance, depths, sampledClasses } = choice.evidence
  return (
    <>
      <p>
        A linear classifier on the frozen network's output at each depth, {folds}-fold
        cross-validated on {thousands(sampled)} of {thousands(images)} images ({sampledClasses}{' '}
        classes), ± one standard error. The last column estimates the accuracy with all images, from
        how much the error fell between half of the sample and all of it. Always naming the most
        frequent class: {percent(chance)}.
      </p>
      <Table
        caption="Accuracy by depth"
        header={['after', 'values', 'accuracy', 'expected of all']}
        rows={depths.map((depth) => [
          depth.layer,
          thousands(depth.features),
          withError(depth.accuracy, depth.error),
          withError(depth.expected, depth.expectedError),
        ])}
        numbers={[1, 2, 3]}
        highlighted={depths.findIndex(({ layer }) => layer === choice.basis)}
      />
    </>
  )
}
