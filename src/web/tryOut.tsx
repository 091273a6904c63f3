import { proxy } from 'comlink'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { at } from '../base/at.ts'
import { csvRow } from '../base/csv.ts'
import { counted, percent } from '../base/format.ts'
import { AnswerView, outcomeOf } from './answer.tsx'
import { FileButton, Problem } from './fields.tsx'
import { messageOf } from './hooks.ts'
import type { RemoteTrainer } from './remote.ts'
import { saveFile } from './saveFile.ts'
import { imagesFrom } from './selection.ts'
import { CameraView, capture, useWebcam } from './webcam.tsx'
import type { Answer, Result, WorkEvent } from './workerApi.ts'

interface TryOutProps {
  readonly trainer: RemoteTrainer
  readonly result: Result
  /** Images of the samples that were neither trained on nor held out. */
  readonly samples: readonly File[]
  readonly busy: boolean
}

interface Tested {
  readonly file: File
  readonly answer: Answer
}

/** Tries the trained network on images of one's own, and live on the webcam. */
export function TryOut({ trainer, result, samples, busy }: TryOutProps) {
  const [tested, setTested] = useState<readonly Tested[]>([])
  const [progress, setProgress] = useState<string | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  // Answers of another network would be wrong ones.
  useEffect(() => setTested([]), [result.epochs])
  const test = async (files: readonly File[]) => {
    setProblem(files.length === 0 ? 'There is no JPEG, PNG or WebP image among these files.' : null)
    if (files.length === 0) return
    setProgress(`Reading ${counted(files.length, 'image')}…`)
    const tell = (event: WorkEvent) =>
      event.type === 'part' && setProgress(`${event.done} of ${event.total} images`)
    try {
      const answers = await trainer.classify(files, proxy(tell))
      const pairs = answers.flatMap((answer, i) => {
        const file = files[i]
        return file ? [{ file, answer }] : []
      })
      setTested((before) => [...pairs, ...before])
    } catch (error) {
      setProblem(messageOf(error))
    }
    setProgress(null)
  }
  const shown = tested.map(({ file, answer }) => ({ file, answer: named(answer, result.classes) }))
  const choose = async (event: Event) => test((await imagesFrom(event)).images)
  return (
    <>
      <LiveCamera trainer={trainer} busy={busy}>
        {samples.length > 0 && (
          <button type="button" disabled={busy} onClick={() => void test(samples)}>
            Try the sample images
          </button>
        )}
        <FileButton accept="image/jpeg,image/png,image/webp" multiple onFiles={choose}>
          Choose images
        </FileButton>
        <FileButton folder onFiles={choose}>
          Choose a folder of images
        </FileButton>
      </LiveCamera>
      <p class="quiet">{result.trust}</p>
      <div class="choices">
        <div aria-live="polite">
          {progress && <p role="status">{progress}</p>}
          {problem && <Problem>{problem}</Problem>}
          {tested.length > 1 && <p data-testid="summary">{summaryOf(shown)}</p>}
        </div>
        {tested.length > 0 && (
          <>
            <button type="button" onClick={() => saveFile('predictions.csv', csvOf(shown))}>
              Save as CSV
            </button>
            <button type="button" onClick={() => setTested([])}>
              Clear
            </button>
          </>
        )}
      </div>
      <ul class="answers" data-testid="answers">
        {shown.map(({ file, answer }, i) => (
          <AnswerView key={tested.length - i} file={file} answer={answer} trainer={trainer} />
        ))}
      </ul>
    </>
  )
}

/** An answer with the names that the classes have now. */
function named(answer: Answer, classes: readonly string[]): Answer {
  if ('problem' in answer) return answer
  return { ...answer, top: answer.top.map((one) => ({ ...one, class: at(classes, one.index) })) }
}

/** How often each answer was given. */
function summaryOf(tested: readonly Tested[]): string {
  const counts = new Map<string, number>()
  for (const { answer } of tested) {
    const outcome = outcomeOf(answer)
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  }
  const parts = [...counts].sort((a, b) => b[1] - a[1]).map(([name, n]) => `${n} ${name}`)
  return `${counted(tested.length, 'image')}: ${parts.join(', ')}.`
}

/** Each image with its answer, as a spreadsheet reads it. */
function csvOf(tested: readonly Tested[]): Blob {
  const rows = tested.map(({ answer }) => {
    if ('problem' in answer) return csvRow([answer.name, 'not read', '', '', answer.problem])
    const [best, second] = answer.top
    return csvRow([
      answer.name,
      outcomeOf(answer),
      best?.probability ?? '',
      best?.class ?? '',
      second ? `then ${second.class}, ${percent(second.probability)}` : '',
    ])
  })
  const header = csvRow(['image', 'prediction', 'confidence', 'nearest class', 'note'])
  return new Blob([[header, ...rows, ''].join('\r\n')], { type: 'text/csv' })
}

/** Milliseconds between two images of the webcam, at least. */
const pause = 150

/** What the network takes the webcam's image for, again and again, with a button among others. */
function LiveCamera({
  trainer,
  busy,
  children,
}: Pick<TryOutProps, 'trainer' | 'busy'> & { readonly children: ComponentChildren }) {
  const camera = useWebcam()
  const video = useRef<HTMLVideoElement | null>(null)
  const [answer, setAnswer] = useState<Answer | null>(null)
  const { stream } = camera
  useEffect(() => {
    if (!stream || busy) return
    let over = false
    const watch = async () => {
      while (!over) {
        const image = await capture(video.current)
        if (image) {
          const file = new File([image], 'webcam.jpg')
          const [seen] = await trainer.classify(
            [file],
            proxy(() => {}),
          )
          if (!over && seen) setAnswer(seen)
        }
        await new Promise((resolve) => setTimeout(resolve, pause))
      }
    }
    watch().catch((error: unknown) => {
      if (!over) setAnswer({ name: 'webcam', problem: messageOf(error) })
    })
    return () => {
      over = true
      setAnswer(null)
    }
  }, [stream, busy])
  return (
    <>
      <p class="choices">
        {children}
        {stream ? (
          <button type="button" onClick={camera.close}>
            Turn the webcam off
          </button>
        ) : (
          <button type="button" disabled={busy} onClick={() => void camera.open()}>
            Try it with the webcam
          </button>
        )}
      </p>
      {camera.problem && <Problem>{camera.problem}</Problem>}
      {stream && (
        <ul class="answers" data-testid="camera-answer">
          <AnswerView answer={answer} trainer={trainer}>
            <CameraView stream={stream} video={video} />
          </AnswerView>
        </ul>
      )}
    </>
  )
}
