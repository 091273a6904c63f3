import { proxy } from 'comlink'
import { useReducer, useState } from 'preact/hooks'
import type { Choice } from '../transfer/decide.ts'
import { hasCode, messageOf } from './hooks.ts'
import type { Project } from './project.ts'
import type { RemoteTrainer } from './remote.ts'
import { isActive, type Run, reduce } from './run.ts'
import type { Settings } from './settings.ts'
import type { Prepared, Result, WorkEvent } from './workerApi.ts'

interface Job {
  readonly project: Project
  readonly settings: Settings
  readonly choice: Choice | null
}

export interface Training {
  readonly run: Run | null
  readonly running: boolean
  /** What was trained on, also after the images on the page have changed. */
  readonly trainedOn: Project | null
  readonly train: (job: Job) => Promise<void>
  readonly stop: () => void
  /** Shows a result that was opened, or none. */
  readonly show: (project: Project, result: Result | null) => void
  /** Calls the classes of the result by other names. */
  readonly rename: (classes: readonly string[]) => void
}

/** One training at a time, and its result. */
export function useTraining(
  trainer: RemoteTrainer,
  on: {
    readonly busy: (busy: boolean) => void
    readonly choice: (choice: Choice) => void
    readonly prepared: (prepared: Prepared) => void
    readonly trained: () => void
  },
): Training {
  const [run, tell] = useReducer(reduce, null)
  const [trainedOn, setTrainedOn] = useState<Project | null>(null)
  const train = async ({ project, settings, choice }: Job) => {
    on.busy(true)
    setTrainedOn(project)
    tell({ type: 'start', epochs: settings.epochs })
    try {
      const listen = (event: WorkEvent) => {
        if (event.type === 'choice') on.choice(event.choice)
        if (event.type === 'prepared') on.prepared(event.prepared)
        tell({ type: 'event', event, at: performance.now() })
      }
      const { split, seed } = settings
      await trainer.use(project, { split, seed })
      const result = await trainer.train(settings, choice, proxy(listen))
      tell({ type: 'done', result })
      on.trained()
    } catch (error) {
      tell({ type: 'failed', stopped: hasCode(error, 'stopped'), message: messageOf(error) })
    }
    on.busy(false)
  }
  const stop = () => {
    tell({ type: 'stop' })
    void trainer.stop()
  }
  const show = (project: Project, result: Result | null) => {
    setTrainedOn(result && project)
    tell({ type: 'forget' })
    if (!result) return
    tell({ type: 'start', epochs: result.epochs.length })
    tell({ type: 'done', result })
  }
  const rename = (classes: readonly string[]) => {
    void trainer.rename(classes)
    tell({ type: 'rename', classes })
  }
  return { run, running: run !== null && isActive(run), trainedOn, train, stop, show, rename }
}
