import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { at } from '../src/base/at.ts'
import type { Results, Row } from './results.ts'

export const themes = {
  light: { text: '#1f2328', grid: '#d1d9e0', kinds: ['#0969da', '#bf3989', '#1a7f37', '#9a6700'] },
  dark: { text: '#f0f6fc', grid: '#3d444d', kinds: ['#4493f8', '#db61a2', '#3fb950', '#d29922'] },
} as const
export type Theme = keyof typeof themes
export const themeNames = Object.keys(themes) as Theme[]

const kinds = ['forward', 'input gradient', 'weight gradient', 'whole step'] as const

const decades = [0.01, 0.1, 1, 10, 100, 1000]

function kindOf({ pass }: Row): (typeof kinds)[number] {
  if (pass === 'forward' || pass === 'product' || pass === 'inference') return 'forward'
  if (pass === 'input gradient' || pass === 'backward') return 'input gradient'
  return pass === 'weight gradient' ? 'weight gradient' : 'whole step'
}

/** An SVG chart: how many times faster than tfjs's WebGPU backend each row is. */
export function chart({ adapter, rows }: Results, theme: Theme): string {
  const { text, grid, kinds: colors } = themes[theme]
  const dots = rows.flatMap((row) =>
    row.ratio === null ? [] : [{ name: row.name, ratio: row.ratio, kind: kindOf(row) }],
  )
  const ratios = dots.map(({ ratio }) => ratio)
  const names = [...new Set(dots.map(({ name }) => name))]
  const [low, high] = [Math.min(0.8, ...ratios), Math.max(10, ...ratios) * 1.1]
  const ticks = decades
    .flatMap((decade) => [decade, 2 * decade, 5 * decade])
    .filter((tick) => tick >= low && tick <= high)
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const legend = kinds.flatMap((kind, i) => [
    Plot.dot([kind], {
      frameAnchor: 'top-left',
      dx: 4 + 130 * i,
      dy: -24,
      r: 4,
      fill: at(colors, i),
    }),
    Plot.text([kind], {
      frameAnchor: 'top-left',
      dx: 13 + 130 * i,
      dy: -24,
      textAnchor: 'start',
      lineAnchor: 'middle',
    }),
  ])
  const plot = Plot.plot({
    document,
    width: 760,
    height: 90 + 15 * names.length,
    marginLeft: 100,
    marginTop: 44,
    marginBottom: 46,
    style: {
      color: text,
      background: 'none',
      fontSize: '12px',
      fontFamily: 'system-ui, sans-serif',
    },
    ariaLabel: `How many times faster than tfjs Graft is on ${adapter}`,
    x: {
      type: 'log',
      domain: [low, high],
      ticks,
      tickFormat: '~r',
      label: `times as fast as tfjs WebGPU on ${adapter}`,
      labelAnchor: 'center',
    },
    y: { domain: names, label: null, tickSize: 0 },
    marks: [
      Plot.gridX(ticks, { stroke: grid, strokeOpacity: 1 }),
      Plot.ruleY(names, { y: (name: string) => name, stroke: grid, strokeOpacity: 0.5 }),
      Plot.ruleX([1], { stroke: text, strokeWidth: 1.5 }),
      Plot.dot(dots, {
        x: 'ratio',
        y: 'name',
        r: 4,
        fill: ({ kind }: { kind: (typeof kinds)[number] }) => colors[kinds.indexOf(kind)],
      }),
      ...legend,
    ],
  })
  plot.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  return `${plot.outerHTML}\n`
}
