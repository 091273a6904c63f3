import { proxy } from 'comlink'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { at } from '../base/at.ts'
import { percent } from '../base/format.ts'
import { Problem } from './fields.tsx'
import { messageOf } from './hooks.ts'
import { openInspector } from './openInspector.ts'
import type { RemoteTrainer } from './remote.ts'
import { Thumbnail } from './thumbnail.tsx'
import type { Answer, HeatMap } from './workerApi.ts'

/** What is said of an image, in a word or three. */
export function outcomeOf(answer: Answer): string {
  if ('problem' in answer) return 'not read'
  if (answer.verdict?.known === false) return 'none of these'
  return answer.top[0]?.class ?? 'none of these'
}

interface AnswerViewProps {
  readonly trainer: RemoteTrainer
  readonly answer: Answer | null
  /** The image; the webcam's is among the children instead. */
  readonly file?: File
  readonly children?: ComponentChildren
}

/** An image that was tested, with what the network takes it for, and ways to look closer. */
export function AnswerView({ trainer, answer, file, children }: AnswerViewProps) {
  const [heat, setHeat] = useState<HeatMap | null>(null)
  const [doing, setDoing] = useState<string | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const look = async (what: string, work: () => Promise<void>) => {
    setDoing(what)
    setProblem(null)
    await work().catch((error: unknown) => setProblem(messageOf(error)))
    setDoing(null)
  }
  const explain = (image: File) =>
    look('Looking for the place…', async () => setHeat(await trainer.heatMap(image)))
  const inspect = (image: File) =>
    look('Recording a step…', () =>
      openInspector((tell) => trainer.inspect(image, proxy(tell)), setDoing),
    )
  const best = answer && !('problem' in answer) ? (answer.top[0]?.class ?? '') : ''
  const unsure = answer && !('problem' in answer) && answer.verdict?.known === false
  return (
    <li class="answer">
      <div class="seen">
        {heat ? (
          <Heat heat={heat} best={best} />
        ) : file ? (
          <Thumbnail file={file} alt={file.name} />
        ) : (
          children
        )}
      </div>
      <div class="verdict">
        {file && (
          <p class="quiet">
            <bdi dir="ltr">{file.name}</bdi>
          </p>
        )}
        {answer && 'problem' in answer && <Problem>{answer.problem}</Problem>}
        {answer && !('problem' in answer) && (
          <>
            <p class={unsure ? 'outcome unsure' : 'outcome'} data-testid="outcome">
              <bdi>{outcomeOf(answer)}</bdi>
            </p>
            <Bars top={answer.top} muted={unsure === true} />
          </>
        )}
        {answer && !('problem' in answer) && file && (
          <p class="card-buttons">
            <button
              type="button"
              disabled={doing !== null}
              aria-pressed={heat !== null}
              onClick={() => (heat ? setHeat(null) : void explain(file))}
            >
              {heat ? 'Show the image' : 'Where does it look?'}
              <span class="unseen"> in {file.name}</span>
            </button>
            <button type="button" disabled={doing !== null} onClick={() => void inspect(file)}>
              Look inside<span class="unseen"> with {file.name}</span>
            </button>
          </p>
        )}
        {heat && (
          <p class="quiet">
            Red: where covering the image lowers “<bdi>{best}</bdi>” the most.
          </p>
        )}
        {doing && <p role="status">{doing}</p>}
        {problem && <Problem>{problem}</Problem>}
      </div>
    </li>
  )
}

function Bars({
  top,
  muted,
}: {
  readonly top: readonly { readonly class: string; readonly probability: number }[]
  readonly muted: boolean
}) {
  return (
    <ol class={muted ? 'bars muted' : 'bars'}>
      {top.map(({ class: name, probability }) => (
        <li key={name}>
          <bdi class="name">{name}</bdi>
          <span class="bar" aria-hidden="true">
            <span style={{ width: `${100 * probability}%` }} />
          </span>
          <span class="share">{percent(probability)}</span>
        </li>
      ))}
    </ol>
  )
}

/** What the network sees of an image, in gray, under the places that its answer comes from. */
function Heat({ heat, best }: { readonly heat: HeatMap; readonly best: string }) {
  const place = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    const context = place.current?.getContext('2d')
    if (!context) return
    const { width, height } = context.canvas
    context.imageSmoothingQuality = 'high'
    context.drawImage(canvasOf(grayOf(heat.seen), heat.size), 0, 0, width, height)
    const strongest = Math.max(...heat.map, 1e-6)
    const rgba = new Uint8ClampedArray(4 * heat.map.length)
    for (let i = 0; i < heat.map.length; i++)
      rgba.set([255, 64, 0, (190 * Math.max(0, at(heat.map, i))) / strongest], 4 * i)
    context.drawImage(canvasOf(rgba, heat.cells), 0, 0, width, height)
  }, [heat])
  return (
    <canvas
      ref={place}
      width={192}
      height={192}
      role="img"
      aria-label={`Where the answer ${best} comes from`}
      data-testid="heat"
    />
  )
}

/** The pixels in gray, so that the color on them is seen. */
function grayOf(rgba: Uint8ClampedArray): Uint8ClampedArray<ArrayBuffer> {
  return Uint8ClampedArray.from(rgba, (value, i) => {
    const first = i - (i % 4)
    if (i % 4 === 3) return value
    const [red, green, blue] = [0, 1, 2].map((channel) => at(rgba, first + channel))
    return 0.299 * (red ?? value) + 0.587 * (green ?? value) + 0.114 * (blue ?? value)
  })
}

function canvasOf(rgba: Uint8ClampedArray<ArrayBuffer>, size: number): OffscreenCanvas {
  const canvas = new OffscreenCanvas(size, size)
  canvas.getContext('2d')?.putImageData(new ImageData(rgba, size, size), 0, 0)
  return canvas
}
