import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { at } from '../src/base/at.ts'
import { type Theme, themes } from './chart.ts'

/** How many times as fast so many workers are as one. */
export interface Line {
  readonly name: string
  readonly points: readonly { readonly workers: number; readonly gain: number }[]
}

/** An SVG chart of lines, beside the one of workers that cost nothing to join. */
export function roundsChart(lines: readonly Line[], theme: Theme): string {
  const { text, grid, kinds: colors } = themes[theme]
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const ticks = at(lines, 0).points.map(({ workers }) => workers)
  const most = Math.max(...ticks)
  const axis = { type: 'log', base: 2, domain: [1, most], ticks, tickFormat: 'd' } as const
  const plot = Plot.plot({
    document,
    width: 760,
    height: 420,
    marginLeft: 50,
    marginRight: 20,
    marginTop: 50 + 16 * lines.length,
    marginBottom: 46,
    style: {
      color: text,
      background: 'none',
      fontSize: '12px',
      fontFamily: 'system-ui, sans-serif',
    },
    ariaLabel: 'How many times as fast 1 to 64 workers are together, simulated',
    x: { ...axis, label: 'workers', labelAnchor: 'center' },
    y: { ...axis, label: 'times as fast as one' },
    marks: [
      Plot.gridX(ticks, { stroke: grid, strokeOpacity: 1 }),
      Plot.gridY(ticks, { stroke: grid, strokeOpacity: 1 }),
      Plot.line([1, most], {
        x: (d: number) => d,
        y: (d: number) => d,
        stroke: text,
        strokeDasharray: '3 3',
      }),
      ...lines.flatMap(({ name, points }, i) => {
        const color = at(colors, i)
        const place = { frameAnchor: 'top-left', dy: -22 - 16 * (lines.length - 1 - i) } as const
        return [
          Plot.line(points, { x: 'workers', y: 'gain', stroke: color, strokeWidth: 2 }),
          Plot.dot(points, { x: 'workers', y: 'gain', r: 3, fill: color }),
          Plot.dot([name], { ...place, dx: 20, r: 4, fill: color }),
          Plot.text([name], { ...place, dx: 30, textAnchor: 'start', lineAnchor: 'middle' }),
        ]
      }),
    ],
  })
  plot.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  return `${plot.outerHTML}\n`
}
