import type { ComponentType } from 'preact'
import { at } from '../../../base/at.ts'
import { href } from '../route.ts'
import { DescentChapter } from './descentChapter.tsx'
import { FieldChapter } from './fieldChapter.tsx'
import { FreezingChapter } from './freezingChapter.tsx'
import { OverfittingChapter } from './overfittingChapter.tsx'
import { SoftmaxChapter } from './softmaxChapter.tsx'

interface Chapter {
  readonly id: string
  readonly name: string
  readonly component: ComponentType
}

const chapters: readonly Chapter[] = [
  { id: 'fields', name: 'What one number sees', component: FieldChapter },
  { id: 'softmax', name: 'From scores to probabilities', component: SoftmaxChapter },
  { id: 'rate', name: 'The learning rate', component: DescentChapter },
  { id: 'freezing', name: 'Freezing', component: FreezingChapter },
  { id: 'overfitting', name: 'Overfitting', component: OverfittingChapter },
]

/** Short texts, each with something to move and something to notice. */
export function Chapters({ args }: { readonly args: readonly string[] }) {
  const shown = chapters.find(({ id }) => id === args[0]) ?? at(chapters, 0)
  const { component: Shown } = shown
  const next = chapters[chapters.indexOf(shown) + 1]
  return (
    <section class="learn">
      <h2>Chapters</h2>
      <nav class="chapter-list" aria-label="Chapters">
        {chapters.map(({ id, name }) => (
          <a
            key={id}
            href={href('chapters', id)}
            aria-current={id === shown.id ? 'page' : undefined}
          >
            {name}
          </a>
        ))}
      </nav>
      <article>
        <h3>{shown.name}</h3>
        <Shown />
      </article>
      {next ? (
        <p>
          Next: <a href={href('chapters', next.id)}>{next.name}</a>
        </p>
      ) : null}
    </section>
  )
}
