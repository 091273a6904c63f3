import { counted, percent, thousands, withError } from '../base/format.ts'
import type { Choice } from '../transfer/decide.ts'
import { table } from './lines.ts'
import type { Output } from './output.ts'

/** Prints what 'auto' measured, which scenario it picks, and why. */
export function describeChoice(output: Output, choice: Choice): void {
  output.event({ type: 'choice', ...choice })
  const { sampled, sampledClasses, classes, images, folds, chance, depths, seconds } =
    choice.evidence
  const of = sampledClasses < classes ? `, of ${sampledClasses} of ${classes} classes` : ''
  output.labeled(
    'probe',
    `a linear classifier on the output of each depth, ${folds}-fold, ` +
      `on ${thousands(sampled)} of ${counted(images, 'image')}${of}; ` +
      `always the most common class: ${percent(chance)}; ${seconds.toFixed(1)} s`,
  )
  const rows = depths.map(({ layer, features, accuracy, error, expected, expectedError }) => [
    layer,
    thousands(features),
    withError(accuracy, error),
    withError(expected, expectedError),
    layer === choice.basis ? '<' : '',
  ])
  output.lines(
    table([['after', 'values', 'accuracy', 'expected of all', ''], ...rows], {
      right: [1, 2, 3],
      indent: ' '.repeat(13),
    }),
  )
  output.labeled('auto', `${choice.scenario}: ${choice.reason}`)
}
