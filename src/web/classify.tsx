import { useState } from 'preact/hooks'
import { percent } from '../base/format.ts'
import type { Prediction } from '../train/evaluate.ts'
import { FileButton, Problem } from './fields.tsx'
import { messageOf } from './hooks.ts'
import { Thumbnail } from './images.tsx'
import type { RemoteTrainer } from './remote.ts'

/** Classifies an image of the user with the trained network. */
export function Classify({ trainer }: { readonly trainer: RemoteTrainer }) {
  const [answer, setAnswer] = useState<{
    readonly file: File
    readonly prediction: Prediction | null
    readonly problem: string | null
  }>()
  const ask = async (file: File) => {
    try {
      setAnswer({ file, prediction: await trainer.classify(file), problem: null })
    } catch (error) {
      setAnswer({ file, prediction: null, problem: messageOf(error) })
    }
  }
  return (
    <section aria-labelledby="classify">
      <h3 id="classify">Try it on an image</h3>
      <p class="row">
        <FileButton
          accept="image/jpeg,image/png,image/webp"
          onFiles={({ currentTarget: { files } }) => {
            const file = files?.item(0)
            if (file) void ask(file)
          }}
        >
          Choose an image
        </FileButton>
      </p>
      <div aria-live="polite" data-testid="answer">
        {answer?.problem && <Problem>{answer.problem}</Problem>}
        {answer?.prediction && (
          <figure class="answer">
            <Thumbnail file={answer.file} alt={answer.file.name} />
            <ol class="bars">
              {answer.prediction.top.map(({ class: name, probability }) => (
                <li key={name}>
                  <bdi class="name">{name}</bdi>
                  <span class="bar" aria-hidden="true">
                    <span style={{ width: `${100 * probability}%` }} />
                  </span>
                  <span class="share">{percent(probability)}</span>
                </li>
              ))}
            </ol>
          </figure>
        )}
      </div>
    </section>
  )
}
