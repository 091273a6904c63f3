import { useMemo } from 'preact/hooks'
import { exercisesOf } from '../../exercises.ts'
import { inspection } from '../model.ts'

/** Questions on this very network; each answer is folded away. */
export function Exercises() {
  const exercises = useMemo(() => exercisesOf(inspection), [])
  return (
    <section class="learn">
      <h2>Exercises</h2>
      <p>
        {exercises.length} questions, with paper and pencil. The answers are computed from this
        recording, so they are right for this network; another recording has others. In print they
        stay folded.
      </p>
      <ol class="exercises">
        {exercises.map(({ question, answer }) => (
          <li key={question}>
            <p>{question}</p>
            <details>
              <summary>Answer</summary>
              {answer.map((text) => (
                <p key={text}>{text}</p>
              ))}
            </details>
          </li>
        ))}
      </ol>
    </section>
  )
}
