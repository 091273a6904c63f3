import { useEffect, useMemo, useState } from 'preact/hooks'
import { PageHeader } from '../look/header.tsx'
import type { EngineInfo } from '../tensor/tensor.ts'
import type { Choice } from '../transfer/decide.ts'
import { CompareView } from './compare.tsx'
import { DownloadList } from './downloadList.tsx'
import { type FieldProblems, ProblemTeller, withProblem } from './fieldProblems.ts'
import { Problem } from './fields.tsx'
import { useEngine, useLeaveWarning, usePlanning } from './hooks.ts'
import { Images } from './images.tsx'
import { NoGpu } from './noGpu.tsx'
import { Planned } from './planned.tsx'
import {
  datasetOrProblem,
  emptyProject,
  namesNow,
  type Project,
  sameImages,
  saysParts,
} from './project.ts'
import type { RemoteTrainer } from './remote.ts'
import { Results } from './results.tsx'
import { fetchSamples } from './sampleImages.ts'
import { saveFile } from './saveFile.ts'
import { consistent, defaults, probed, type Settings } from './settings.ts'
import { Setup } from './setup.tsx'
import { StartButton } from './startButton.tsx'
import { startProblems } from './startProblems.ts'
import { TrainingView } from './training.tsx'
import { TryOut } from './tryOut.tsx'
import { useTraining } from './useTraining.ts'

/** The whole page: images, training with its settings, results, and trying them out. */
export function App({
  trainer,
  failed,
}: {
  readonly trainer: RemoteTrainer
  readonly failed: Promise<never>
}) {
  const engine = useEngine(trainer, failed)
  const [project, setProject] = useState<Project>(emptyProject)
  /** Why the network of a project that was opened cannot be used. */
  const [outdated, setOutdated] = useState<string | null>(null)
  const [toTry, setToTry] = useState<readonly File[]>([])
  const [settings, setSettings] = useState<Settings>(defaults)
  const [choice, setChoice] = useState<Choice | null>(null)
  const [busy, setBusy] = useState(false)
  const [unsaved, setUnsaved] = useState(false)
  /** Set by the button that loads the samples: training begins as soon as it can. */
  const [pending, setPending] = useState(false)
  const [fields, setFields] = useState<FieldProblems>(new Map())
  const [showSettings, setShowSettings] = useState(false)
  const { split, seed } = settings
  const data = useMemo(() => datasetOrProblem(project, { split, seed }), [project, split, seed])
  const open = engine !== null && !('problem' in engine)
  const idle = open && !busy && !pending
  const [planning, setPrepared] = usePlanning(trainer, { project, data, settings, choice, idle })
  const training = useTraining(trainer, {
    busy: setBusy,
    choice: setChoice,
    prepared: setPrepared,
    trained: () => setUnsaved(true),
  })
  const train = () => {
    setOutdated(null)
    setProject((before) => ({ ...before, renamed: [] }))
    void training.train({ project, settings, choice })
  }
  const trainedClasses = training.run?.result?.classes
  useEffect(() => {
    if (!trainedClasses || project.renamed.length === 0) return
    training.rename(namesNow(project, trainedClasses))
    setProject((before) => ({ ...before, renamed: [] }))
  }, [trainedClasses, project.renamed])
  useLeaveWarning(training.running || unsaved)
  const problems = startProblems({ open, data, fields, settings, planning })
  useEffect(() => {
    if (!pending || !open || typeof data === 'string') return
    setPending(false)
    train()
  }, [pending, open, data])
  const tellProblem = useMemo(
    () => (id: string, problem: Parameters<typeof withProblem>[2]) =>
      setFields((before) => withProblem(before, id, problem)),
    [],
  )
  if (engine && 'problem' in engine) return <NoGpu {...engine} />

  const change = (changed: Partial<Settings>) => {
    setSettings((before) => consistent({ ...before, ...changed }))
    if (probed.some((name) => name in changed)) setChoice(null)
  }
  const replace = (next: Project) => {
    setProject(next)
    setOutdated(null)
    setChoice(null)
    setToTry([])
  }
  const edit = (make: (project: Project) => Project) => {
    setProject(make)
    setUnsaved(true)
    setChoice(null)
  }
  const useSamples = async () => {
    const samples = await fetchSamples()
    replace(samples.project)
    setToTry(samples.toTry)
    setPending(true)
  }
  const openFile = async (file: File) => {
    const { project, result, problem } = await trainer.load(file, { split, seed })
    replace(project)
    setOutdated(problem)
    training.show(project, result)
    setUnsaved(false)
  }
  const save = async () => {
    const blob = await trainer.save(project)
    saveFile(`${project.name}.graft.zip`, blob)
    setUnsaved(false)
  }
  const ready = typeof data !== 'string' && open
  const job = { trainer, settings, choice, planning, busy, onBusy: setBusy, onChoice: setChoice }
  const { run, trainedOn } = training
  const result = run?.result ?? null
  return (
    <>
      <PageHeader kind="train in the browser" title="Teach a network your own images">
        <p>
          Show a trained network a few examples of each class, and it learns to tell them apart:
          here in the browser, and nothing leaves this machine.
        </p>
      </PageHeader>
      <main>
        <Images
          project={project}
          data={data}
          onProject={replace}
          onEdit={edit}
          onSamples={useSamples}
          onOpenFile={openFile}
          busy={busy || pending}
        />
        {project.classes.length > 0 && (
          <section aria-labelledby="train">
            <h2 id="train">
              <span class="step">2</span> Train
            </h2>
            {outdated && <Problem>{outdated}</Problem>}
            <StartButton
              again={result !== null || outdated !== null}
              busy={busy || pending}
              problems={problems}
              inFields={fields.size > 0 && !showSettings}
              unsaved={unsaved && result !== null}
              outgrown={result !== null && trainedOn !== null && !sameImages(project, trainedOn)}
              onStart={train}
              onShowFields={() => setShowSettings(true)}
            />
            <ProblemTeller.Provider value={tellProblem}>
              <details
                class="settings"
                open={showSettings}
                onToggle={({ currentTarget }) => setShowSettings(currentTarget.open)}
              >
                <summary>How it learns</summary>
                <div class="columns">
                  <fieldset class="plain" disabled={busy}>
                    <Setup
                      settings={settings}
                      onChange={change}
                      cuts={planning.prepared?.cuts ?? []}
                      divided={saysParts(project)}
                    />
                  </fieldset>
                  {ready && <Planned {...job} onRate={(lr) => change({ lr })} />}
                </div>
              </details>
            </ProblemTeller.Provider>
            <TrainingView training={training} />
          </section>
        )}
        {result && trainedOn && (
          <>
            <section aria-labelledby="try">
              <h2 id="try">
                <span class="step">3</span> Try it
              </h2>
              <TryOut trainer={trainer} result={result} samples={toTry} busy={busy} />
            </section>
            <section aria-labelledby="results">
              <h2 id="results">How good is it?</h2>
              <Results result={result} project={trainedOn} />
            </section>
          </>
        )}
        {ready && <CompareView {...job} project={project} gpu={engine?.kind === 'hardware'} />}
        {project.images.length > 0 && (
          <section aria-labelledby="keep">
            <h2 id="keep">Keep it</h2>
            <DownloadList
              trainer={trainer}
              trained={result !== null}
              busy={busy}
              onSave={save}
              onDownload={() => setUnsaved(false)}
            />
          </section>
        )}
      </main>
      <footer>
        <Computes engine={engine} />
      </footer>
    </>
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
