import type { ComponentChildren } from 'preact'

interface LessonProps {
  /** What is told, and the controls. */
  readonly children: ComponentChildren
  readonly figure: ComponentChildren
  /** What is told once the figure was seen. */
  readonly after?: ComponentChildren
}

/** Text and its figure: side by side where there is room, else one after the other. */
export function Lesson({ children, figure, after }: LessonProps) {
  return (
    <div class="lesson">
      <div class="prose">{children}</div>
      <div class="figure">{figure}</div>
      {after ? <div class="after">{after}</div> : null}
    </div>
  )
}
