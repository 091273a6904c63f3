import { useState } from 'preact/hooks'
import { counted } from '../base/format.ts'
import { FourWays } from '../report/sections/comparison.tsx'
import type { Comparison } from '../train/compareScenarios.ts'
import { Figure } from './figure.tsx'
import type { Project } from './project.ts'
import type { RemoteTrainer } from './remote.ts'
import type { Settings } from './settings.ts'
import { Task } from './task.tsx'

interface CompareViewProps {
  readonly trainer: RemoteTrainer
  readonly settings: Settings
  readonly project: Project
  /** Whether a GPU computes. */
  readonly gpu: boolean
  readonly busy: boolean
  readonly onBusy: (busy: boolean) => void
}

/** Rounds of each of the four, on a GPU and without one: training the whole network takes long. */
const mostRounds = { gpu: 10, cpu: 3 }

/** Trains in all four ways on the images, and shows which does best. */
export function CompareView({ trainer, settings, project, gpu, busy, onBusy }: CompareViewProps) {
  const [compared, setCompared] = useState<{
    readonly comparison: Comparison
    readonly project: Project
  } | null>(null)
  const epochs = Math.min(settings.epochs, gpu ? mostRounds.gpu : mostRounds.cpu)
  const budget = `${counted(epochs, 'round')} each`
  const fileless = settings.start === 'file' && !settings.file
  const shown = compared?.project === project ? compared.comparison : null
  return (
    <section aria-labelledby="compare">
      <h2 id="compare">Compare the four ways</h2>
      <p>
        A trained network can be taught new classes in four ways: with a new last layer, with a new
        layer on its early layers, by training all of it on, or by training it from nothing. This
        tries all four on your images, {budget}, and keeps none. It takes{' '}
        {gpu ? 'a minute or two' : 'some minutes'}. On the command line:{' '}
        <code>npx graft-webgpu compare</code>.
      </p>
      <Task
        trainer={trainer}
        onBusy={onBusy}
        name="Compare"
        doing="Comparing"
        disabled={busy || fileless}
        work={async (tell) => {
          const { split, seed } = settings
          await trainer.use(project, { split, seed })
          return trainer.compare({ ...settings, epochs }, tell)
        }}
        onDone={(comparison) => setCompared({ comparison, project })}
      />
      {shown && (
        <div data-testid="comparison">
          {shown.scenarios.size > 0 ? (
            <FourWays comparison={shown} budget={budget} Figure={Figure} Heading="h3" />
          ) : (
            <p>Stopped before the first of the four was done.</p>
          )}
        </div>
      )}
    </section>
  )
}
