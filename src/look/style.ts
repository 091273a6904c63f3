import { colors, sizes } from './tokens.ts'

const variables = [
  ...Object.entries(colors).map(([name, [light, dark]]) => [name, `light-dark(${light}, ${dark})`]),
  ...Object.entries(sizes),
]
  .map(([name, value]) => `  --${name}: ${value};`)
  .join('\n')

/**
 * The style that all pages of Graft begin with: the variables of tokens.ts, and elements without a
 * class. Colors follow the reader's setting; print is light.
 */
export const lookStyle = `
:root {
  color-scheme: light dark;
${variables}
}
* { box-sizing: border-box }
body {
  margin: 0;
  background: var(--ground);
  color: var(--ink);
  font: var(--size-normal)/1.5 system-ui, sans-serif;
  overflow-wrap: break-word;
}
h1, h2, h3 { line-height: 1.25; text-wrap: balance; font-weight: 650; letter-spacing: -0.01em }
h1 { font-size: var(--size-h1); margin: 0 0 var(--space-1) }
h2 { font-size: var(--size-h2); margin: var(--space-5) 0 var(--space-2) }
h3 { font-size: var(--size-h3); margin: var(--space-4) 0 var(--space-1) }
p { margin: var(--space-2) 0; max-width: 75ch; text-wrap: pretty }
a { color: var(--accent) }
code, pre { font-family: ui-monospace, 'Cascadia Mono', Menlo, Consolas, monospace }
code { font-size: 0.92em; overflow-wrap: anywhere }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
button, select, input, textarea {
  font: inherit;
  color: inherit;
  background: var(--raised);
  border: 1px solid var(--rule);
  border-radius: var(--radius);
  padding: var(--space-1) var(--space-2);
}
button { cursor: pointer }
input, progress { accent-color: var(--accent) }
summary { cursor: pointer; color: var(--quiet) }
.quiet { color: var(--quiet); font-weight: normal }
.unbroken { white-space: nowrap }
.brand { display: flex; align-items: center; gap: var(--space-2); font-weight: 650 }
.brand { margin: 0 0 var(--space-2); color: var(--accent); font-size: var(--size-normal) }
.brand .quiet { border-left: 1px solid var(--rule); padding-left: var(--space-2) }
.mark { display: block; flex: none; width: 1.75em; height: 1.75em }
@media print {
  :root { color-scheme: light; --ground: #ffffff }
  * { print-color-adjust: exact }
  h1, h2, h3 { break-after: avoid }
  figure, tr, li { break-inside: avoid }
}
`
