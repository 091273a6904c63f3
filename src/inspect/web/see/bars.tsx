import { at } from '../../../base/at.ts'
import { percent } from '../../../base/format.ts'
import { largest, softmaxOf } from '../../probabilities.ts'
import { inspection, logits, target } from '../model.ts'

/** The likeliest classes with their probabilities, and the true one, which is marked. */
export function ClassBars() {
  const probabilities = softmaxOf(logits())
  if (probabilities.length === 0)
    return <p class="verdict wrong">Its scores are not finite: the network has diverged.</p>
  const { classes, targetGiven } = inspection
  const told = targetGiven ? target : null
  const shown = largest(probabilities, 5)
  if (told !== null && !shown.includes(told)) shown.push(told)
  return (
    <ol class="bars">
      {shown.map((index) => (
        <li key={index} class={index === told ? 'told' : ''}>
          <span class="named">
            <bdi class="label">{at(classes, index)}</bdi>{' '}
            {index === told ? <span class="mark-true">true class</span> : null}
          </span>
          <span class="track" aria-hidden="true">
            <span style={{ width: `${100 * at(probabilities, index)}%` }} />
          </span>
          <span class="value">{percent(at(probabilities, index))}</span>
        </li>
      ))}
    </ol>
  )
}
