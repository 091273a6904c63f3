import { proxy } from 'comlink'
import { useState } from 'preact/hooks'
import type { Choice } from '../transfer/choice.ts'
import type { WorkEvent } from './contract.ts'
import { EvidenceView } from './evidence.tsx'
import { Problem } from './fields.tsx'
import { hasCode, messageOf, type Planning } from './hooks.ts'
import { PlanView } from './plan.tsx'
import type { RemoteTrainer } from './remote.ts'
import type { Settings } from './settings.ts'

interface PlannedProps {
  readonly trainer: RemoteTrainer
  readonly settings: Settings
  readonly choice: Choice | null
  readonly planning: Planning
  readonly busy: boolean
  readonly onBusy: (busy: boolean) => void
  readonly onChoice: (choice: Choice) => void
}

/** What the settings come to: the choice of 'auto' with its evidence, and the plan. */
export function Planned({ settings, choice, planning, ...measuring }: PlannedProps) {
  const { prepared, stale, problem } = planning
  const auto = settings.scenario === 'auto'
  return (
    <section class="planned" aria-labelledby="plan">
      <h3 id="plan">The plan</h3>
      {auto && choice && <EvidenceView choice={choice} />}
      {auto && !choice && <Measure settings={settings} {...measuring} />}
      {problem ? <Problem>{problem}</Problem> : prepared && <PlanView prepared={prepared} stale={stale} />}
      {settings.start === 'file' && !settings.file && <p>Choose the file of weights to see what will become of its network.</p>}
      {!prepared && stale && <p class="quiet">Loading the network…</p>}
    </section>
  )
}

/** Before 'auto' has measured: says what it will do, and does it when asked. */
function Measure({ trainer, settings, busy, onBusy, onChoice }: Omit<PlannedProps, 'planning' | 'choice'>) {
  const [read, setRead] = useState<{ readonly done: number; readonly total: number } | null>(null)
  const [problem, setProblem] = useState<string>()
  const measure = async () => {
    onBusy(true)
    setProblem(undefined)
    setRead({ done: 0, total: 1 })
    try {
      const tell = (event: WorkEvent) => event.type === 'read' && setRead(event)
      onChoice(await trainer.choose(settings, proxy(tell)))
    } catch (error) {
      if (!hasCode(error, 'stopped')) setProblem(messageOf(error))
    }
    setRead(null)
    onBusy(false)
  }
  return (
    <>
      <p>
        auto counts the pictures and measures how well a linear classifier reads your classes from the frozen network at every depth.
        Training begins with that; or measure now and see what it picks.
      </p>
      {read ? (
        <div class="progress">
          <progress aria-label="Measuring" value={read.done} max={read.total} />
          <button type="button" onClick={() => void trainer.stop()}>
            Stop measuring
          </button>
        </div>
      ) : (
        <button type="button" onClick={() => void measure()} disabled={busy || (settings.start === 'file' && !settings.file)}>
          Measure now
        </button>
      )}
      {problem && <Problem>{problem}</Problem>}
    </>
  )
}
