import { useEffect, useState } from 'preact/hooks'
import type { ImageDataset } from '../data/dataset.ts'
import type { EngineInfo } from '../tensor/tensor.ts'
import type { Choice } from '../transfer/decide.ts'
import type { Project } from './project.ts'
import type { RemoteTrainer } from './remote.ts'
import type { Settings } from './settings.ts'
import type { Prepared } from './workerApi.ts'

export const messageOf = (error: unknown) =>
  error instanceof Error ? error.message : String(error)

/** Whether an error from the worker has that code. */
export const hasCode = (error: unknown, code: string) =>
  error instanceof Error && error.name === code

/** Why there is no engine. */
export interface NoEngine {
  readonly problem: string
  /** Whether WebGPU is missing. */
  readonly noGpu: boolean
}

/** The GPU; null while it is being opened. */
export function useEngine(
  trainer: RemoteTrainer,
  failed: Promise<never>,
): EngineInfo | NoEngine | null {
  const [engine, setEngine] = useState<EngineInfo | NoEngine | null>(null)
  useEffect(() => {
    Promise.race([trainer.open(), failed]).then(setEngine, (error: unknown) =>
      setEngine({ problem: messageOf(error), noGpu: hasCode(error, 'adapter') }),
    )
  }, [trainer, failed])
  return engine
}

/** The newest plan, whether a newer one is being made, and what is wrong with the settings. */
export interface Planning {
  readonly prepared: Prepared | null
  readonly stale: boolean
  readonly problem: string | null
}

/** A plan is made this many milliseconds after the last change, so not at every key press. */
const planDelay = 250

/** Makes a new plan whenever something that it depends on changes. */
export function usePlanning(
  trainer: RemoteTrainer,
  {
    project,
    data,
    settings,
    choice,
    idle,
  }: {
    readonly project: Project
    readonly data: ImageDataset | string
    readonly settings: Settings
    readonly choice: Choice | null
    /** Whether the worker is free. */
    readonly idle: boolean
  },
): readonly [Planning, (prepared: Prepared) => void] {
  const [planning, setPlanning] = useState<Planning>({
    prepared: null,
    stale: false,
    problem: null,
  })
  const { split, seed } = settings
  useEffect(() => {
    if (idle && typeof data !== 'string') void trainer.use(project, { split, seed })
  }, [idle, data])
  useEffect(() => {
    if (!idle || typeof data === 'string') return
    if (settings.start === 'file' && !settings.file) {
      setPlanning({ prepared: null, stale: false, problem: null })
      return
    }
    let current = true
    setPlanning((before) => ({ ...before, stale: true }))
    const timer = setTimeout(() => {
      trainer.prepare(settings, choice).then(
        (prepared) => current && setPlanning({ prepared, stale: false, problem: null }),
        (error: unknown) =>
          current &&
          setPlanning((before) => ({ ...before, stale: false, problem: messageOf(error) })),
      )
    }, planDelay)
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [idle, data, settings, choice])
  return [planning, (prepared) => setPlanning({ prepared, stale: false, problem: null })]
}

/** Asks before the page is left, while something would be lost. */
export function useLeaveWarning(active: boolean): void {
  useEffect(() => {
    if (!active) return
    const onLeave = (event: BeforeUnloadEvent) => event.preventDefault()
    addEventListener('beforeunload', onLeave)
    return () => removeEventListener('beforeunload', onLeave)
  }, [active])
}
