import type { ComponentChildren } from 'preact'
import { renderToString } from 'preact-render-to-string'
import { printable } from '../base/printable.ts'
import { sectionStyle } from './sections/style.ts'

/** Colors follow the reader's setting; all text on them has a contrast of at least 4.5. */
const pageStyle = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#ffffff, #15181c);
  --raised: light-dark(#f5f6f8, #1e2227);
  --ink: light-dark(#1c2024, #e6e8ea);
  --quiet: light-dark(#565d66, #a6adb6);
  --rule: light-dark(#d6dae0, #3a4048);
  --series-3: light-dark(#1d7a46, #62d394);
  --series-4: light-dark(#8a3ba8, #d79bf0);
  --wrong: light-dark(#b3261e, #ff8a80);
}
* { box-sizing: border-box }
body {
  margin: 0 auto;
  max-width: 60rem;
  padding: 1.5rem 1rem 4rem;
  background: var(--ground);
  color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere;
}
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 0.3rem }
h2 { font-size: 1.25rem; margin: 2.5rem 0 0.5rem; scroll-margin-top: 1rem }
p { max-width: 44rem; margin: 0.4rem 0 }
figcaption, dt, summary { color: var(--quiet) }
a { color: var(--series-1) }
:focus-visible { outline: 3px solid var(--series-1); outline-offset: 2px }
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
        <link rel="icon" href="data:," />
        <title>{title}</title>
        <style dangerouslySetInnerHTML={{ __html: sectionStyle + pageStyle }} />
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
