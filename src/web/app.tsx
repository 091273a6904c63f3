import { useMemo, useState } from 'preact/hooks'
import { PageHeader } from '../look/header.tsx'
import type { EngineInfo } from '../tensor/tensor.ts'
import type { Choice } from '../transfer/decide.ts'
import { useEngine, usePlanning } from './hooks.ts'
import { Images } from './images.tsx'
import { NoGpu } from './noGpu.tsx'
import { Planned } from './planned.tsx'
import type { RemoteTrainer } from './remote.ts'
import { datasetOf, type Selection } from './selection.ts'
import { consistent, defaults, probed, type Settings } from './settings.ts'
import { Setup } from './setup.tsx'
import { Training } from './training.tsx'

/** The whole page: images, settings, training, results. */
export function App({
  trainer,
  failed,
}: {
  readonly trainer: RemoteTrainer
  readonly failed: Promise<never>
}) {
  const engine = useEngine(trainer, failed)
  const [selection, setSelection] = useState<Selection | null>(null)
  const [settings, setSettings] = useState<Settings>(defaults)
  const [choice, setChoice] = useState<Choice | null>(null)
  const [busy, setBusy] = useState(false)
  const { split, seed } = settings
  const data = useMemo(
    () => selection && datasetOf(selection, { split, seed }),
    [selection, split, seed],
  )
  const open = engine !== null && !('problem' in engine)
  const [planning, setPrepared] = usePlanning(trainer, {
    selection,
    data,
    settings,
    choice,
    idle: open && !busy,
  })
  if (engine && 'problem' in engine) return <NoGpu {...engine} />

  const change = (changed: Partial<Settings>) => {
    setSettings((before) => consistent({ ...before, ...changed }))
    if (probed.some((name) => name in changed)) setChoice(null)
  }
  const onSelect = (next: Selection) => {
    setSelection(next)
    setChoice(null)
  }
  const ready = selection && data !== null && typeof data !== 'string' && open
  const job = { trainer, settings, choice, planning, busy, onBusy: setBusy, onChoice: setChoice }
  return (
    <>
      <PageHeader kind="train in the browser" title="Teach a network your own images">
        <p>
          Teach a trained network your own classes of images, here in the browser. Nothing leaves
          this machine.
        </p>
      </PageHeader>
      <main>
        <Images selection={selection} data={data} onSelect={onSelect} busy={busy} />
        {ready && (
          <section aria-labelledby="setup">
            <h2 id="setup">What to do with them</h2>
            <div class="columns">
              <fieldset class="plain" disabled={busy}>
                <Setup
                  settings={settings}
                  onChange={change}
                  cuts={planning.prepared?.cuts ?? []}
                  divided={isDivided(data)}
                />
              </fieldset>
              <Planned {...job} onRate={(lr) => change({ lr })} />
            </div>
          </section>
        )}
        {ready && <Training {...job} selection={selection} onPrepared={setPrepared} />}
      </main>
      <footer>
        <Computes engine={engine} />
      </footer>
    </>
  )
}

/** Whether the folder itself is divided into train/ and val/. */
function isDivided({ train, val }: Exclude<ReturnType<typeof datasetOf>, string>): boolean {
  return (
    train.at(0)?.name.startsWith('train/') === true && val.at(0)?.name.startsWith('val/') === true
  )
}

function Computes({ engine }: { readonly engine: EngineInfo | null }) {
  if (!engine) return <p role="status">Opening the GPU…</p>
  const { adapter, kind } = engine
  return (
    <p class="quiet">
      Computes on {adapter}.
      {kind === 'hardware'
        ? ''
        : ' This is the CPU in place of a GPU: expect minutes where a GPU takes seconds.'}
    </p>
  )
}
