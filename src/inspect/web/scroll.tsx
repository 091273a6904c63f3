import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

/** A table's header. */
export function Header({
  columns,
  numbers = [],
}: {
  readonly columns: readonly string[]
  /** Columns of numbers, aligned to the right. */
  readonly numbers?: readonly string[]
}) {
  return (
    <thead>
      <tr>
        {columns.map((name) => (
          <th key={name} scope="col" class={numbers.includes(name) ? 'right' : undefined}>
            {name}
          </th>
        ))}
      </tr>
    </thead>
  )
}

/** Wide content in a box that scrolls, also by keyboard. */
export function Scroll({
  label,
  tall = false,
  children,
}: {
  readonly label: string
  readonly tall?: boolean
  readonly children: ComponentChildren
}) {
  const box = useRef<HTMLElement>(null)
  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    const update = () => {
      const scrolls =
        element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight
      if (scrolls) element.tabIndex = 0
      else element.removeAttribute('tabindex')
    }
    const observer = new ResizeObserver(update)
    observer.observe(element)
    update()
    return () => observer.disconnect()
  })
  return (
    <section class={`scroll${tall ? ' tall' : ''}`} aria-label={label} ref={box}>
      {children}
    </section>
  )
}
