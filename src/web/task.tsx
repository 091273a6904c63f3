import { proxy } from 'comlink'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Problem } from './fields.tsx'
import { hasCode, messageOf } from './hooks.ts'
import type { RemoteTrainer } from './remote.ts'
import type { WorkEvent } from './workerApi.ts'

interface TaskProps<T> {
  readonly trainer: RemoteTrainer
  /** The button's text; `doing` is shown during the work. */
  readonly name: string
  readonly doing: string
  readonly disabled: boolean
  readonly work: (tell: (event: WorkEvent) => void) => Promise<T>
  readonly onDone: (result: T) => void
  readonly onBusy: (busy: boolean) => void
}

/** Short work for the worker: a button, then its progress and a button to stop it. */
export function Task<T>({ trainer, name, doing, disabled, work, onDone, onBusy }: TaskProps<T>) {
  const [progress, setProgress] = useState<{
    readonly done: number
    readonly total: number
  } | null>(null)
  const [what, setWhat] = useState(doing)
  const [problem, setProblem] = useState<string>()
  const place = useRef<HTMLDivElement>(null)
  const started = useRef(false)
  const busy = progress !== null
  useEffect(() => {
    // The pressed button is replaced by another one, which gets the focus.
    if (started.current) place.current?.querySelector('button')?.focus()
  }, [busy])
  const start = async () => {
    started.current = true
    onBusy(true)
    setProblem(undefined)
    setWhat(doing)
    setProgress({ done: 0, total: 1 })
    const tell = (event: WorkEvent) => {
      if (event.type === 'read') setProgress(event)
      if (event.type === 'contestant') setWhat(`${doing}: ${event.scenario}`)
      if (event.type === 'step')
        setProgress({ done: (event.epoch - 1) * event.steps + event.step, total: 0 })
      if (event.type === 'search') setProgress({ done: event.step, total: event.steps })
    }
    try {
      onDone(await work(proxy(tell)))
    } catch (error) {
      if (!hasCode(error, 'stopped')) setProblem(messageOf(error))
    }
    setProgress(null)
    onBusy(false)
  }
  return (
    <div ref={place}>
      {progress ? (
        <div class="progress">
          <span role="status">{what}</span>
          <progress
            aria-label={what}
            {...(progress.total > 0 ? { value: progress.done, max: progress.total } : {})}
          />
          <button type="button" onClick={() => void trainer.stop()}>
            Stop this
          </button>
        </div>
      ) : (
        <button type="button" onClick={() => void start()} disabled={disabled}>
          {name}
        </button>
      )}
      {problem && <Problem>{problem}</Problem>}
    </div>
  )
}
