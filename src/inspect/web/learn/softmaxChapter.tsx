import { useState } from 'preact/hooks'
import { at } from '../../../base/at.ts'
import { percent } from '../../../base/format.ts'
import { largest, softmaxOf } from '../../probabilities.ts'
import { inspection, logits } from '../model.ts'
import { Slider } from '../slider.tsx'
import { number } from '../text.ts'
import { Lesson } from './lesson.tsx'
import { Notice } from './notice.tsx'

const most = 6

/** The recorded scores under another temperature. */
export function SoftmaxChapter() {
  const [exponent, setExponent] = useState(0)
  const scores = logits()
  const temperature = 2 ** exponent
  const probabilities = softmaxOf(scores, temperature)
  const shown = largest(scores, most)
  if (probabilities.length === 0)
    return <p>The scores of this recording are not finite: there is nothing to turn into parts.</p>
  const rest = 1 - shown.reduce((sum, index) => sum + at(probabilities, index), 0)
  const others = scores.length - shown.length
  return (
    <Lesson
      figure={
        <div class="table-wide">
          <table class="softmax">
            <thead>
              <tr>
                <th scope="col">class</th>
                <th scope="col" class="right">
                  score
                </th>
                <th scope="col" class="right">
                  e^(score/T)
                </th>
                <th scope="col">probability</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((index) => (
                <tr key={index}>
                  <th scope="row">
                    <bdi>{at(inspection.classes, index)}</bdi>
                  </th>
                  <td class="right">{at(scores, index).toFixed(2)}</td>
                  <td class="right">{number(Math.exp(at(scores, index) / temperature))}</td>
                  <td>
                    <Share value={at(probabilities, index)} />
                  </td>
                </tr>
              ))}
              {others > 0 ? (
                <tr>
                  <th scope="row">{others} others</th>
                  <td />
                  <td />
                  <td>
                    <Share value={Math.max(0, rest)} />
                  </td>
                </tr>
              ) : null}
            </tbody>
          </table>
        </div>
      }
      after={
        <Notice>
          <ul>
            <li>
              T = 1 is what the network was trained with. The order of the classes never changes,
              only how sure the network seems.
            </li>
            <li>
              A low temperature gives nearly everything to the highest score. A high one makes all
              classes alike: {percent(1 / scores.length)} for each of {scores.length}.
            </li>
            <li>
              Only differences of scores count: one more for every score changes nothing. A
              difference of 1 makes a class 2.7 times as likely, at T = 1.
            </li>
          </ul>
        </Notice>
      }
    >
      <p>
        The last layer gives each class a score, which may be any number. <b>Softmax</b> makes
        probabilities of them: it takes e to the power of each score, and divides by the sum of all,
        so that they add up to 1. With a <b>temperature</b> T every score is divided by T first.
        These are the scores of the recorded image.
      </p>
      <Slider
        label="Temperature"
        min={-4}
        max={5}
        step={0.25}
        value={exponent}
        text={`T = ${temperature < 1 ? temperature.toFixed(2) : temperature.toFixed(1)}`}
        onValue={setExponent}
      />
    </Lesson>
  )
}

function Share({ value }: { readonly value: number }) {
  return (
    <span class="share">
      <span class="track" aria-hidden="true">
        <span style={{ width: `${100 * value}%` }} />
      </span>
      <span class="value">{percent(value)}</span>
    </span>
  )
}
