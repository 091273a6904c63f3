import { favicon } from '../look/mark.ts'
import { lookStyle } from '../look/style.ts'
import type { Inspection } from './inspection.ts'
import { writeInspection } from './plain.ts'

/** What draws the page. */
export interface PageBundle {
  readonly script: string
  readonly style: string
}

/** The inspector as one HTML file: data, script and style inside, nothing fetched. */
export function renderPage(inspection: Inspection, { script, style }: PageBundle): string {
  // A '<' could end the element that the data lies in.
  const data = writeInspection(inspection).replaceAll('<', '\\u003c')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="${favicon}">
<title>${escaped(inspection.title)}, inspected by Graft</title>
<style>${lookStyle}${style}</style>
</head>
<body>
<div id="app"><noscript>
This page is drawn by its own script: allow JavaScript to read it.
</noscript></div>
<script type="application/json" id="inspection">${data}</script>
<script>${script}</script>
</body>
</html>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
