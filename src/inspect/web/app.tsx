import type { ComponentType } from 'preact'
import { useRef } from 'preact/hooks'
import { at } from '../../base/at.ts'
import { percent } from '../../base/format.ts'
import { PageHeader } from '../../look/header.tsx'
import { version } from './built.ts'
import { Freezing } from './freezing.tsx'
import { Lab } from './lab.tsx'
import { Chapters } from './learn/chapters.tsx'
import { Exercises } from './learn/exercises.tsx'
import { Situations } from './learn/situations.tsx'
import { Tour } from './learn/tour.tsx'
import { inspection } from './model.ts'
import { NetworkMap } from './network.tsx'
import { Numbers } from './numbers.tsx'
import { Roofline } from './roofline.tsx'
import { go, href, useRoute } from './route.ts'
import { Seeing } from './see/seeing.tsx'
import { Tensors } from './tensors.tsx'
import { time } from './text.ts'
import { Timeline } from './timeline.tsx'

interface View {
  readonly id: string
  readonly name: string
  readonly component: ComponentType<{ readonly args: readonly string[] }>
}

/** What everybody reads. */
const sections: readonly View[] = [
  { id: 'image', name: 'The image', component: Seeing },
  { id: 'tour', name: 'Tour', component: Tour },
  { id: 'chapters', name: 'Chapters', component: Chapters },
  { id: 'scenarios', name: 'Scenarios', component: Situations },
  { id: 'exercises', name: 'Exercises', component: Exercises },
]

/** What those read who want every launch and every number. */
const engineering: readonly View[] = [
  { id: 'network', name: 'Layers', component: NetworkMap },
  { id: 'timeline', name: 'Dispatches', component: Timeline },
  { id: 'tensors', name: 'Tensors', component: Tensors },
  { id: 'numbers', name: 'Numbers', component: Numbers },
  { id: 'roofline', name: 'Roofline', component: Roofline },
  ...(inspection.compared.length ? [{ id: 'compare', name: 'Freezing', component: Freezing }] : []),
  { id: 'lab', name: 'Edit a kernel', component: Lab },
]

/** The whole page: what was run, where one can go, and the view that the address names. */
export function App() {
  const [id, ...args] = useRoute()
  const shown = [...sections, ...engineering].find((view) => view.id === id) ?? at(sections, 0)
  const isEngineering = engineering.includes(shown)
  const { component: Shown } = shown
  return (
    <>
      <PageHeader kind="inspector" title={inspection.title}>
        <nav class="sections" aria-label="Sections">
          {sections.map((view) => (
            <a
              key={view.id}
              href={href(view.id)}
              aria-current={view === shown ? 'page' : undefined}
            >
              {view.name}
            </a>
          ))}
          <a
            class="apart"
            href={href(at(engineering, 0).id)}
            aria-current={isEngineering ? 'page' : undefined}
          >
            Engineering
          </a>
        </nav>
      </PageHeader>
      {isEngineering ? <Tabs shown={shown} /> : null}
      <main>
        <div
          id="panel"
          {...(isEngineering ? { role: 'tabpanel', 'aria-labelledby': `tab-${shown.id}` } : {})}
        >
          {isEngineering ? <Facts /> : null}
          <Shown args={args} />
        </div>
      </main>
    </>
  )
}

function Tabs({ shown }: { readonly shown: View }) {
  const tabs = useRef<HTMLDivElement>(null)
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!step) return
    event.preventDefault()
    const next = (engineering.indexOf(shown) + step + engineering.length) % engineering.length
    go(at(engineering, next).id)
    tabs.current?.querySelectorAll<HTMLElement>('[role=tab]')[next]?.focus()
  }
  return (
    <div
      class="tabs"
      role="tablist"
      aria-label="Engineering views"
      ref={tabs}
      onKeyDown={onKeyDown}
    >
      {engineering.map((view) => (
        <button
          key={view.id}
          type="button"
          role="tab"
          id={`tab-${view.id}`}
          aria-selected={view === shown}
          aria-controls="panel"
          tabIndex={view === shown ? 0 : -1}
          onClick={() => go(view.id)}
        >
          {view.name}
        </button>
      ))}
    </div>
  )
}

function Facts() {
  const { adapter, dispatches, milliseconds, train, loss, target, top, variant } = inspection
  const [best] = top
  const step = train ? 'One training step' : 'One forward pass'
  return (
    <p class="facts">
      {step} of {variant} on {adapter.name},{' '}
      {adapter.subgroup ? `register tiles of ${adapter.subgroup} lanes` : 'plain kernels'}:{' '}
      {dispatches.length} dispatches, {time(milliseconds)}.{' '}
      {best ? (
        <>
          Taken for <bdi>{best.name}</bdi>, {percent(best.probability)}.{' '}
        </>
      ) : (
        'Its logits are not finite: the network has diverged. '
      )}
      {loss !== null && (
        <>
          Loss {loss.toFixed(4)} for <bdi>{target}</bdi>.{' '}
        </>
      )}
      <span class="quiet">Graft {version}</span>
    </p>
  )
}
