import type { ComponentChildren } from 'preact'
import { renderToString } from 'preact-render-to-string'
import { printable } from '../base/printable.ts'
import { favicon } from '../look/mark.ts'
import { lookStyle } from '../look/style.ts'
import { sectionStyle } from './sections/style.ts'

const pageStyle = `
body { margin: 0 auto; max-width: 60rem; padding: var(--space-4) var(--space-3) 4rem }
h2 { scroll-margin-top: 1rem }
figcaption, dt { color: var(--quiet) }
nav ul { display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; padding: 0; list-style: none }
figure { margin: 0.8rem 0 }
svg { max-width: 100%; height: auto }
.narrow { display: none }
details { margin: 0.3rem 0 }
.figures { display: flex; flex-wrap: wrap; gap: 0.8rem 2.2rem; margin: 1rem 0 }
.figures dd { margin: 0; font-size: 1.5rem; font-weight: 600 }
.figures dd.quiet { font-size: 0.85rem; font-weight: 400 }
.losses .pair { display: flex; gap: 0.4rem }
.losses { grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)) }
.losses img { width: calc(50% - 0.2rem); height: auto; border-radius: 4px }
@media (max-width: 46rem) {
  .wide { display: none }
  .narrow { display: block }
}
@media print {
  .narrow, nav { display: none }
  .wide { display: block }
}
`

/** Nothing is loaded from anywhere, whatever a class or a file is called. */
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

/**
 * A page as one file: styles and images are inside it, and it has no script.
 * @returns HTML
 */
export function renderPage(title: string, body: ComponentChildren): string {
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content={policy} />
        <link rel="icon" href={favicon} />
        <title>{title}</title>
        <style dangerouslySetInnerHTML={{ __html: lookStyle + sectionStyle + pageStyle }} />
      </head>
      <body>
        <main>{body}</main>
      </body>
    </html>
  )
  // Names are shown as in the terminal: marks in them turn no direction, and nothing is hidden.
  const text = renderToString(page).split('\n').map(printable).join('\n')
  return `<!doctype html>\n${text}\n`
}
