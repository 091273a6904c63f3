import type { ComponentType } from 'preact'
import { useRef } from 'preact/hooks'
import { at } from '../../base/at.ts'
import { percent } from '../../base/format.ts'
import { PageHeader } from '../../look/header.tsx'
import { version } from './built.ts'
import { Freezing } from './freezing.tsx'
import { Lab } from './lab.tsx'
import { inspection } from './model.ts'
import { NetworkMap } from './network.tsx'
import { Numbers } from './numbers.tsx'
import { Roofline } from './roofline.tsx'
import { go, useRoute } from './route.ts'
import { Tensors } from './tensors.tsx'
import { time } from './text.ts'
import { Timeline } from './timeline.tsx'
import { Tour } from './tour.tsx'

interface View {
  readonly id: string
  readonly name: string
  readonly component: ComponentType<{ readonly args: readonly string[] }>
}

const views: readonly View[] = [
  { id: 'network', name: 'Network', component: NetworkMap },
  { id: 'timeline', name: 'Dispatches', component: Timeline },
  { id: 'tensors', name: 'Tensors', component: Tensors },
  { id: 'numbers', name: 'Numbers', component: Numbers },
  { id: 'roofline', name: 'Roofline', component: Roofline },
  ...(inspection.compared.length
    ? [{ id: 'compare', name: 'Scenarios', component: Freezing }]
    : []),
  { id: 'tour', name: 'Tour', component: Tour },
  { id: 'lab', name: 'Edit a kernel', component: Lab },
]

/** The whole page: what was run, the views as tabs, and the view that the address names. */
export function App() {
  const [id, ...args] = useRoute()
  const shown = views.find((view) => view.id === id) ?? at(views, 0)
  const tabs = useRef<HTMLDivElement>(null)
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!step) return
    event.preventDefault()
    const next = (views.indexOf(shown) + step + views.length) % views.length
    go(at(views, next).id)
    tabs.current?.querySelectorAll<HTMLElement>('[role=tab]')[next]?.focus()
  }
  const { component: Shown } = shown
  return (
    <>
      <PageHeader kind="inspector" title={inspection.title}>
        <Facts />
      </PageHeader>
      <div class="tabs" role="tablist" aria-label="Views" ref={tabs} onKeyDown={onKeyDown}>
        {views.map((view) => (
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
      <main>
        <div id="panel" role="tabpanel" aria-labelledby={`tab-${shown.id}`}>
          <Shown args={args} />
        </div>
      </main>
    </>
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
