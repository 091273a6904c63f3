import type { ComponentChildren } from 'preact'

/** What to look at, at the end of a chapter. */
export function Notice({ children }: { readonly children: ComponentChildren }) {
  return (
    <div class="notice">
      <h4>What to notice</h4>
      {children}
    </div>
  )
}
