import type { VNode } from 'preact'
import {
  accuracyWithInterval,
  percent,
  percentRange,
  pointsRange,
  thousands,
} from '../../base/format.ts'
import type { Choice } from '../../transfer/decide.ts'
import { Table } from './table.tsx'

/** What 'auto' measured: the accuracy of a linear classifier at each depth of the network. */
export function Evidence({ choice }: { readonly choice: Choice }): VNode {
  const { evidence, forecast } = choice
  const { sampled, images, folds, chance, depths, sampledClasses } = evidence
  if (depths.length === 0) return <p>Nothing was measured: there are too few images.</p>
  return (
    <>
      <p>
        A linear classifier on the frozen network's output at each depth, {folds}-fold
        cross-validated on {thousands(sampled)} of {thousands(images)} images ({sampledClasses}{' '}
        classes). In brackets and in the last column: 95 % intervals. A depth whose distance to the
        best one may be 0 ties with it. Always naming the most common class gives {percent(chance)},
        and guessing {percent(1 / sampledClasses)}.
      </p>
      <Table
        caption="Accuracy by depth"
        header={['after', 'values', 'accuracy', 'points behind the best']}
        rows={depths.map(({ layer, features, accuracy, interval, behind }) => [
          layer,
          thousands(features),
          accuracyWithInterval(accuracy, interval),
          behind.value === 0
            ? 'the best'
            : `${pointsRange(behind)}${behind.low <= 0 ? ', a tie' : ''}`,
        ])}
        numbers={[1, 2, 3]}
        highlighted={depths.findIndex(({ layer }) => layer === choice.basis)}
      />
      {forecast && (
        <p>
          Expected of a training with the default options:{' '}
          {percentRange(forecast.low, forecast.high)} of the {thousands(evidence.validation)}{' '}
          validation images (95 % interval).
        </p>
      )}
    </>
  )
}
