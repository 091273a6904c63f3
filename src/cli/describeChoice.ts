import {
  accuracyWithInterval,
  counted,
  percent,
  percentRange,
  pointsRange,
  thousands,
} from '../base/format.ts'
import type { Choice } from '../transfer/decide.ts'
import { table } from './lines.ts'
import type { Output } from './output.ts'

/** Prints what 'auto' measured, which scenario it picks, why, and what to expect. */
export function describeChoice(output: Output, choice: Choice): void {
  output.event({ type: 'choice', ...choice })
  if (choice.evidence.depths.length > 0) describeProbe(output, choice)
  output.labeled('auto', `${choice.scenario}: ${choice.reason}`)
  const { evidence, forecast } = choice
  if (forecast)
    output.labeled(
      'forecast',
      `${percentRange(forecast.low, forecast.high)} of the ` +
        `${counted(evidence.validation, 'validation image')} (95 % interval) with the default ` +
        'training',
    )
}

function describeProbe(output: Output, choice: Choice): void {
  const { evidence } = choice
  const { sampled, sampledClasses, classes, images, folds, chance, depths, seconds } = evidence
  const of = sampledClasses < classes ? `, of ${sampledClasses} of ${classes} classes` : ''
  output.labeled(
    'probe',
    `a linear classifier on the output of each depth, ${folds}-fold, ` +
      `on ${thousands(sampled)} of ${counted(images, 'image')}${of}; ${seconds.toFixed(1)} s`,
  )
  // Where everything trains, no depth is cut at.
  const cutAt = choice.scenario.startsWith('small') ? choice.basis : null
  const rows = depths.map(({ layer, features, accuracy, interval, behind }) => [
    layer,
    thousands(features),
    accuracyWithInterval(accuracy, interval),
    behind.value === 0 ? 'the best' : pointsRange(behind),
    layer === cutAt ? 'chosen' : behind.value > 0 && behind.low <= 0 ? 'tie' : '',
  ])
  output.lines(
    table(
      [
        ['after', 'values', 'accuracy', 'points behind', ''],
        ...rows,
        ['most common', '', percent(chance)],
        ['guessing', '', percent(1 / sampledClasses)],
      ],
      { right: [1], indent: ' '.repeat(13) },
    ),
  )
  output.labeled(
    '',
    'In brackets and as points behind the best: 95 % intervals. A depth whose interval ' +
      'holds 0 ties with the best. The last two need no network: always the most common ' +
      'class, and guessing.',
  )
}
