import type { VNode } from 'preact'
import { percent, thousands, withError } from '../base/format.ts'
import type { Choice } from '../transfer/decide.ts'
import { Table } from './table.tsx'

/** What a linear classifier reads at each depth. */
export function EvidenceTable({ choice }: { readonly choice: Choice }): VNode {
  const { sampled, images, folds, chance, depths, sampledClasses } = choice.evidence
  const rows = depths.map((depth) => [
    depth.layer,
    thousands(depth.features),
    withError(depth.accuracy, depth.error),
    withError(depth.expected, depth.expectedError),
  ])
  return (
    <>
      <p>
        A linear classifier on the frozen network's output at each depth, {folds}-fold
        cross-validated on {thousands(sampled)} of {thousands(images)} images of {sampledClasses}{' '}
        classes, ± one standard error; the last column carries that on to all images, as errors fell
        from half of the sample to all of it. Always naming the commonest class: {percent(chance)}.
      </p>
      <Table
        caption="Accuracy by depth"
        header={['after', 'values', 'accuracy', 'expected of all']}
        rows={rows}
        numbers={[1, 2, 3]}
        chosen={depths.findIndex(({ layer }) => layer === choice.basis)}
      />
    </>
  )
}
