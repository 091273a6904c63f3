import { useRef } from 'preact/hooks'
import { Evidence } from '../report/sections/evidence.tsx'
import type { Choice } from '../transfer/decide.ts'
import { Problem } from './fields.tsx'
import type { Planning } from './hooks.ts'
import { PlanView } from './plan.tsx'
import type { RemoteTrainer } from './remote.ts'
import type { Settings } from './settings.ts'
import { Task } from './task.tsx'

interface PlannedProps {
  readonly trainer: RemoteTrainer
  readonly settings: Settings
  readonly choice: Choice | null
  readonly planning: Planning
  readonly busy: boolean
  readonly onBusy: (busy: boolean) => void
  readonly onChoice: (choice: Choice) => void
  readonly onRate: (lr: number) => void
}

/** What the settings lead to: the choice of 'auto' with its evidence, and the plan. */
export function Planned({
  trainer,
  settings,
  choice,
  planning,
  busy,
  onBusy,
  onChoice,
  onRate,
}: PlannedProps) {
  const { prepared, stale, problem } = planning
  const auto = settings.scenario === 'auto'
  const fileless = settings.start === 'file' && !settings.file
  const task = { trainer, onBusy }
  const heading = useRef<HTMLHeadingElement>(null)
  const onMeasured = (measured: Choice) => {
    heading.current?.focus() // the button that has the focus disappears
    onChoice(measured)
  }
  return (
    <section class="planned" aria-labelledby="plan">
      <h3 id="plan" tabIndex={-1} ref={heading}>
        The plan
      </h3>
      {auto && choice && (
        <div class="evidence" data-testid="evidence">
          <p>
            auto picks <strong>{choice.scenario}</strong>: {choice.reason}
          </p>
          <details>
            <summary>What was measured</summary>
            <Evidence choice={choice} />
          </details>
        </div>
      )}
      {auto && !choice && (
        <>
          <p>
            auto counts the images and measures how well a linear classifier reads your classes from
            the frozen network at every depth. Training begins with that; or measure now and see
            what it picks.
          </p>
          <Task
            {...task}
            name="Measure now"
            doing="Measuring"
            disabled={busy || fileless}
            onDone={onMeasured}
            work={(tell) => trainer.choose(settings, tell)}
          />
        </>
      )}
      {problem ? (
        <Problem>{problem}</Problem>
      ) : (
        prepared && <PlanView prepared={prepared} stale={stale} />
      )}
      {fileless && <p>Choose the file of weights to see what will become of its network.</p>}
      {!prepared && stale && <p class="quiet">Loading the network…</p>}
      {!problem && prepared?.plan && (
        <Task
          {...task}
          name="Find a learning rate"
          doing="Trying a hundred learning rates"
          disabled={busy}
          onDone={onRate}
          work={(tell) => trainer.findRate(settings, choice, tell)}
        />
      )}
    </section>
  )
}
