import type { ComponentChildren, VNode } from 'preact'
import { markPaths } from './mark.ts'

/** Graft's mark, in the color of the text around it. */
export function Mark(): VNode {
  return (
    <svg class="mark" viewBox="0 0 32 32" fill="currentColor" aria-hidden="true">
      {markPaths.map((d) => (
        <path key={d} d={d} />
      ))}
    </svg>
  )
}

interface PageHeaderProps {
  /** What kind of page it is, beside the mark: 'training report'. */
  readonly kind: string
  /** The page's own title, as its first heading. */
  readonly title: ComponentChildren
  /** What stands below the title. */
  readonly children?: ComponentChildren
}

/** What every page begins with: the mark, the name, the kind of page, and its title. */
export function PageHeader({ kind, title, children }: PageHeaderProps): VNode {
  return (
    <header class="page-header">
      <p class="brand">
        <Mark />
        Graft <span class="quiet">{kind}</span>
      </p>
      <h1>{title}</h1>
      {children}
    </header>
  )
}
