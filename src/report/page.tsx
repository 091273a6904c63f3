import type { ComponentChildren } from 'preact'
import { renderToString } from 'preact-render-to-string'
import { printable } from '../base/printable.ts'
import { favicon } from '../look/mark.ts'
import { keepQuantities } from '../look/quantities.ts'
import { lookStyle } from '../look/style.ts'
import { sectionStyle } from './sections/style.ts'

keepQuantities()

const pageStyle = `
body { margin: 0 auto; max-width: 100rem; padding: var(--space-4) clamp(1rem, 3vw, 3rem) 4rem }
h2 { scroll-margin-top: 1rem }
figcaption, dt { color: var(--quiet) }
nav ul { display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; padding: 0; list-style: none }
figure { margin: 0.8rem 0 }
figure svg { width: 100%; max-width: 48rem; height: auto }
.charts { display: grid; gap: 0 var(--space-4) }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)) }
.mark { height: 1.75em }
@media (min-width: 46.01rem) {
  .key { display: none }
}
.narrow { display: none }
details { margin: 0.3rem 0 }
.word { display: inline-block; max-width: 100% }
pre { overflow-x: auto; margin: var(--space-1) 0; padding: var(--space-2) var(--space-3) }
pre { background: var(--raised); border-radius: var(--radius); white-space: pre-wrap }
.figures { display: flex; flex-wrap: wrap; gap: 0.8rem 2.2rem; margin: 1rem 0 }
.figures dd { margin: 0; font-size: 1.5rem; font-weight: 600 }
.figures dd.quiet { font-size: var(--size-small); font-weight: 400 }
.scale { position: relative; height: 14px; margin: 0 0 0.5rem; background: var(--raised) }
.scale i { position: absolute; top: 0; height: 100% }
.scale .bar { background: var(--series-1); opacity: 0.55; left: 0 }
.scale .interval { height: 4px; top: 5px; background: var(--ink) }
.scale .baseline { width: 0; border-left: 2px dashed var(--ink); top: -4px; height: 22px }
.verdict { padding: 0; margin: 0; list-style: none }
.verdict li { border-left: 4px solid var(--trained); padding-left: var(--space-3) }
.verdict li { margin-bottom: var(--space-3) }
.verdict li.good { border-color: var(--right) }
.verdict li > p:first-child { font-size: var(--size-h3) }
.sides { display: grid; gap: var(--space-3) var(--space-4) }
.sides { grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)) }
.sides > div { container-type: inline-size }
.sides h3 { margin-top: 0 }
.thumbnails { display: grid; gap: var(--space-3) var(--space-2); margin: 0; padding: 0 }
.thumbnails { grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); list-style: none }
.thumbnails figure { margin: 0 }
.thumbnails img { display: block; width: 112px; height: 112px; border-radius: 4px }
.thumbnails figcaption { font-size: var(--size-small); line-height: 1.3; padding-top: 2px }
.thumbnails figcaption .quiet { display: block; white-space: nowrap }
.sides .thumbnails { grid-template-columns: repeat(3, minmax(0, 1fr)) }
.sides .thumbnails img { width: 100%; max-width: 8rem; height: auto }
@container (min-width: 34rem) {
  .sides .thumbnails { grid-template-columns: repeat(6, minmax(0, 1fr)) }
}
.cell { scroll-margin-top: 45vh }
.cell:not(:target) { display: none }
.losses .pair { display: flex; gap: 0.4rem }
.losses { grid-template-columns: repeat(auto-fill, minmax(min(100%, 16rem), 1fr)) }
.losses img { width: calc(50% - 0.2rem); height: auto; border-radius: 4px }
@media (max-width: 46rem) {
  .figures { display: grid; grid-template-columns: 1fr 1fr; gap: 0.8rem }
  .figures dd { font-size: 1.3rem }
  .wide { display: none }
  .narrow { display: block }
}
@media print {
  body { padding: 0 }
  .narrow, nav, .key, .click { display: none }
  .wide { display: block }
  figure svg { max-width: 34rem }
  .title, .charts p, p:has(+ figure) { break-after: avoid }
  .sides > div { container-type: normal }
  .charts, .sides { grid-template-columns: 1fr 1fr }
  .charts .wide { display: none }
  .charts .narrow { display: block }
  .charts .key { display: flex }
  .losses { grid-template-columns: 1fr 1fr }
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
