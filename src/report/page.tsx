import type { ComponentChildren, VNode } from 'preact'
import { renderToString } from 'preact-render-to-string'
import type { Chart } from './plots.ts'
import { Table, type TableProps } from './table.tsx'

/** Colors follow the reader's setting; text on all of them has a contrast of 4.5 or more. */
const style = `
:root { color-scheme: light dark;
  --paper: light-dark(#ffffff, #15181c); --ink: light-dark(#1c2024, #e6e8ea); --soft: light-dark(#565d66, #a6adb6);
  --line: light-dark(#d6dae0, #3a4048); --panel: light-dark(#f5f6f8, #1e2227); --on-series: light-dark(#ffffff, #0d1117);
  --series-1: light-dark(#1f5fbf, #7cb1ff); --series-2: light-dark(#b4500b, #ffa25c);
  --series-3: light-dark(#1d7a46, #62d394); --series-4: light-dark(#8a3ba8, #d79bf0); --wrong: light-dark(#b3261e, #ff8a80); }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem } h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; scroll-margin-top: 1rem }
p { max-width: 44rem; margin: .4rem 0 } .soft, figcaption, dt { color: var(--soft) } a { color: var(--series-1) }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; list-style: none }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .7rem .25rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: normal }
th.number, td.number { text-align: right } td.number { white-space: nowrap }
tbody bdi { overflow-wrap: anywhere } tbody td:has(bdi) { min-width: 6rem }
tbody th bdi { display: inline-block; width: max-content; max-width: min(18rem, 40vw) }
 tr.chosen { background: var(--panel); font-weight: 600 }
.scroll { overflow-x: auto; max-width: 100% } :focus-visible { outline: 3px solid var(--series-1); outline-offset: 2px }
figure { margin: .8rem 0 } svg { max-width: 100%; height: auto } .narrow { display: none }
@media (max-width: 46rem) { .wide { display: none } .narrow { display: block } }
details { margin: .3rem 0 } summary { cursor: pointer; color: var(--soft) }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; margin: .3rem 0; list-style: none; font-size: .9rem }
.key i { display: inline-block; width: 1.4em; height: 0; border-top: 3px solid; margin-right: .4em; vertical-align: middle }
.key i.dashed { border-top-style: dashed }
.figures { display: flex; flex-wrap: wrap; gap: .8rem 2.2rem; margin: 1rem 0 } .figures dd { margin: 0; font-size: 1.5rem; font-weight: 600 }
.losses { display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: 1.2rem; padding: 0; list-style: none }
.losses figure { margin: 0 } .losses img { width: calc(50% - .2rem); height: auto; border-radius: 4px; image-rendering: auto; vertical-align: top }
.losses figcaption > bdi { font-weight: 600 } .losses .pair { display: flex; gap: .4rem } .wrong { color: var(--wrong) }
@media print { .narrow { display: none } .wide { display: block } nav { display: none } }
`

/** Nothing is loaded from anywhere, whatever a class or a file is called. */
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

/**
 * A page that needs nothing beside itself: styles and images lie in it, no script runs.
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
        <style dangerouslySetInnerHTML={{ __html: style }} />
      </head>
      <body>
        <main>{body}</main>
      </body>
    </html>
  )
  return `<!doctype html>\n${renderToString(page)}\n`
}

interface FigureProps {
  readonly chart: Chart
  /** What it shows, in a sentence: what a screen reader says in its place. */
  readonly label: string
  readonly series?: readonly {
    readonly name: string
    readonly color: string
    readonly dashed?: boolean
  }[]
  /** Its figures as a table. */
  readonly table?: TableProps
}

/** A chart with its key, and its figures as a table that can be unfolded. */
export function Figure({ chart, label, series = [], table }: FigureProps): VNode {
  return (
    <figure>
      {series.length > 1 && (
        <ul class="key" aria-hidden="true">
          {series.map(({ name, color, dashed }) => (
            <li key={name}>
              <i class={dashed ? 'dashed' : undefined} style={`border-color: ${color}`} />
              {name}
            </li>
          ))}
        </ul>
      )}
      <div
        class="wide"
        role="img"
        aria-label={label}
        dangerouslySetInnerHTML={{ __html: chart.wide }}
      />
      <div
        class="narrow"
        role="img"
        aria-label={label}
        dangerouslySetInnerHTML={{ __html: chart.narrow }}
      />
      {table && (
        <details>
          <summary>{table.caption}</summary>
          <Table {...table} />
        </details>
      )}
    </figure>
  )
}
