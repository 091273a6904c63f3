import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

/**
 * Wide content in a box of its own, which the keyboard can scroll where there is something to
 * scroll.
 */
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
