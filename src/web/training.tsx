import { proxy } from 'comlink'
import { useEffect, useReducer, useRef, useState } from 'preact/hooks'
import { Epochs } from '../report/sections/epochs.tsx'
import type { Choice } from '../transfer/decide.ts'
import { Classify } from './classify.tsx'
import { DownloadList } from './downloadList.tsx'
import { Figure } from './figure.tsx'
import { hasCode, messageOf, type Planning, useLeaveWarning } from './hooks.ts'
import { Progress } from './progress.tsx'
import type { RemoteTrainer } from './remote.ts'
import { Results } from './results.tsx'
import { isActive, reduce } from './run.ts'
import type { Selection } from './selection.ts'
import type { Settings } from './settings.ts'
import type { Prepared, WorkEvent } from './workerApi.ts'

interface TrainingProps {
  readonly trainer: RemoteTrainer
  readonly settings: Settings
  readonly choice: Choice | null
  readonly planning: Planning
  readonly selection: Selection
  readonly busy: boolean
  readonly onBusy: (busy: boolean) => void
  readonly onChoice: (choice: Choice) => void
  readonly onPrepared: (prepared: Prepared) => void
}

/** The button that starts training, its progress, and its results. */
export function Training({
  trainer,
  settings,
  choice,
  planning,
  selection,
  busy,
  onBusy,
  onChoice,
  onPrepared,
}: TrainingProps) {
  const [run, tell] = useReducer(reduce, null)
  // The files of this training, also after others are selected.
  const [files, setFiles] = useState(selection.files)
  const [downloaded, setDownloaded] = useState(true)
  const heading = useRef<HTMLHeadingElement>(null)
  const running = run !== null && isActive(run)
  const last = run?.epochs.at(-1)
  useLeaveWarning(running || !downloaded)
  useEffect(() => {
    // The stop button disappears when training ends: its focus moves to the heading.
    if (run?.status === 'running' || (run && !running && document.activeElement === document.body))
      heading.current?.focus()
  }, [run?.status])

  const train = async () => {
    if (
      !downloaded &&
      !confirm('The trained network has not been downloaded and will be replaced. Train again?')
    )
      return
    onBusy(true)
    setFiles(selection.files)
    setDownloaded(true)
    tell({ type: 'start', epochs: settings.epochs })
    try {
      const listen = (event: WorkEvent) => {
        if (event.type === 'choice') onChoice(event.choice)
        if (event.type === 'prepared') onPrepared(event.prepared)
        tell({ type: 'event', event, at: performance.now() })
      }
      const result = await trainer.train(settings, choice, proxy(listen))
      tell({ type: 'done', result })
      setDownloaded(false)
    } catch (error) {
      tell({ type: 'failed', stopped: hasCode(error, 'stopped'), message: messageOf(error) })
    }
    onBusy(false)
  }
  const stop = () => {
    tell({ type: 'stop' })
    void trainer.stop()
  }
  const { prepared, problem } = planning
  const impossible =
    problem !== null ||
    Boolean(prepared?.memory?.problem) ||
    (settings.start === 'file' && !settings.file)
  return (
    <>
      <p class="begin">
        <button
          type="button"
          class="main"
          onClick={() => void train()}
          disabled={busy || impossible}
        >
          {run && !running ? 'Train again' : 'Train'}
        </button>
      </p>
      {run && (
        <section aria-labelledby="training">
          <h2 id="training" tabIndex={-1} ref={heading}>
            Training
          </h2>
          <Progress run={run} onStop={stop} />
          {last ? (
            <Epochs epochs={run.epochs} last={last} Figure={Figure} />
          ) : (
            running && <p class="quiet">The curves begin after the first epoch.</p>
          )}
        </section>
      )}
      {run?.result && (
        <section aria-labelledby="results">
          <h2 id="results">Results</h2>
          <Results result={run.result} files={files} />
          <div class="columns">
            <Classify trainer={trainer} />
            <DownloadList trainer={trainer} onDownload={() => setDownloaded(true)} />
          </div>
        </section>
      )}
    </>
  )
}
