import { inspection, nodes } from '../model.ts'
import { href } from '../route.ts'
import { ClassBars } from '../see/bars.tsx'
import { sizeText } from '../see/drawing.tsx'
import { number } from '../text.ts'
import { Lesson } from './lesson.tsx'

/** The last steps: numbers to scores, scores to probabilities, and the loss. */
export function Scores() {
  const last = nodes.at(-1)
  const before = nodes.at(-2)
  const { loss, target, train } = inspection
  return (
    <Lesson figure={<ClassBars />}>
      {last && before ? (
        <p>
          Of the image <a href={href('image', before.layer)}>{before.layer}</a> has left{' '}
          {sizeText(before)}. <a href={href('image', last.layer)}>{last.layer}</a> makes{' '}
          {sizeText(last)} of them: one score a class. Softmax turns scores into probabilities.
        </p>
      ) : null}
      {train && loss !== null ? (
        <p>
          In this training step the class is told: <bdi>{target}</bdi>. The <b>loss</b> says how far
          off the answer is: −ln of the probability of that class, {number(loss)}. It is 0 only for
          an answer that is right and fully sure.
        </p>
      ) : (
        <p>
          In training, the <b>loss</b> says how far off an answer is: −ln of the probability of the
          true class. It is 0 only for an answer that is right and fully sure.
        </p>
      )}
      <p>
        <a href={href('chapters', 'softmax')}>More on softmax, with a temperature to turn</a>
      </p>
    </Lesson>
  )
}
