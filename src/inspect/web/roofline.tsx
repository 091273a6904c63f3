import * as Plot from '@observablehq/plot'
import { useEffect, useRef, useState } from 'preact/hooks'
import { passKind } from '../../nn/layerTimes.ts'
import { amount, inspection, time } from './model.ts'
import { go, href } from './route.ts'
import { Scroll } from './scroll.tsx'

interface Point {
  readonly index: number
  readonly title: string
  readonly kind: string
  /** FLOP a byte. */
  readonly intensity: number
  /** GFLOP a second. */
  readonly rate: number
  readonly milliseconds: number
  readonly share: number
}

function points(): Point[] {
  const { dispatches, sources } = inspection
  return dispatches.flatMap(({ index, layer, operator, pass, cost, milliseconds, share, source }): Point[] => {
    if (!cost || !milliseconds || cost.flops === 0) return []
    return [
      {
        index,
        title: `${layer ?? operator} ${pass ?? ''}\n${sources[source]?.kernel}`,
        kind: passKind(pass),
        intensity: cost.flops / cost.bytes,
        rate: cost.flops / milliseconds / 1e6,
        milliseconds,
        share: share ?? 0,
      },
    ]
  })
}

/** How close each dispatch comes to what the adapter can do: its arithmetic, or its memory. */
export function Roofline() {
  const host = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(900)
  const { peak } = inspection
  const data = points()
  useEffect(() => {
    const update = () => setWidth(Math.max(280, Math.min(1100, (host.current?.parentElement?.clientWidth ?? 900) - 4)))
    update()
    addEventListener('resize', update)
    return () => removeEventListener('resize', update)
  }, [])
  useEffect(() => {
    if (!peak || !host.current) return
    const ridge = peak.gflops / peak.gbps
    const [low, high] = [
      Math.min(0.05, ...data.map(({ intensity }) => intensity)),
      Math.max(2 * ridge, ...data.map(({ intensity }) => intensity)),
    ]
    const roof = [low, ridge, high].map((intensity) => ({ intensity, rate: Math.min(peak.gflops, intensity * peak.gbps) }))
    const chart = Plot.plot({
      width,
      height: Math.max(320, Math.min(560, width * 0.6)),
      marginLeft: 56,
      marginBottom: 44,
      grid: true,
      style: { background: 'transparent', color: 'inherit', fontSize: '12px' },
      x: { type: 'log', label: 'FLOP a byte', domain: [low, high], tickFormat: '~g', ticks: 5 },
      y: { type: 'log', label: 'GFLOP a second', tickFormat: '~g', ticks: 5 },
      r: { range: [3, 14] },
      color: {
        domain: ['forward', 'gradient', 'step', 'other'],
        range: ['var(--forward)', 'var(--gradient)', 'var(--step)', 'var(--other)'],
      },
      marks: [
        Plot.line(roof, { x: 'intensity', y: 'rate', stroke: 'currentColor', strokeWidth: 2 }),
        Plot.dot(data, {
          x: 'intensity',
          y: 'rate',
          fill: 'kind',
          fillOpacity: 0.75,
          stroke: 'var(--ground)',
          r: 'milliseconds',
        }),
        Plot.tip(
          data,
          Plot.pointer({
            x: 'intensity',
            y: 'rate',
            title: (one: Point) => `${one.title}\n${one.rate.toPrecision(3)} GFLOP/s, ${(100 * one.share).toFixed(0)} % of the roof`,
            fill: 'var(--ground)',
          }),
        ),
      ],
    })
    chart.setAttribute('role', 'group')
    chart.setAttribute('aria-label', `Roofline: ${data.length} dispatches below a roof of ${peak.gflops.toFixed(0)} GFLOP a second`)
    // Plot names its groups by aria-label, which needs a role.
    for (const group of Array.from(chart.querySelectorAll('g[aria-label]'))) group.setAttribute('role', 'group')
    // The point that the pointer is nearest to; the table below has the same links for the keyboard.
    chart.addEventListener('click', () => {
      const nearest = chart.value as Point | null
      if (nearest) go('timeline', nearest.index)
    })
    host.current.replaceChildren(chart)
  }, [width, peak, data])
  const top = data.toSorted((a, b) => b.milliseconds - a.milliseconds).slice(0, 12)
  return (
    <section>
      <h2>Roofline</h2>
      {peak ? (
        <>
          <p>
            This adapter does at most {peak.gflops.toFixed(1)} GFLOP and moves {peak.gbps.toFixed(1)} GB a second, both measured just
            before. A dispatch on the slope waits for memory, one under the flat roof for arithmetic. Larger dots took longer; a dot leads
            to its dispatch.
          </p>
          <p class="legend">
            <span class="key forward">forward</span>
            <span class="key gradient">gradients</span>
            <span class="key step">optimiser</span>
          </p>
          <div class="chart" ref={host} />
          <Scroll label="Where the time went">
            <table>
              <caption>Where the time went</caption>
              <thead>
                <tr>
                  <th scope="col">dispatch</th>
                  <th scope="col" class="right">
                    time
                  </th>
                  <th scope="col" class="right">
                    FLOP a byte
                  </th>
                  <th scope="col" class="right">
                    FLOP/s
                  </th>
                  <th scope="col" class="right">
                    of the roof
                  </th>
                </tr>
              </thead>
              <tbody>
                {top.map((one) => (
                  <tr key={one.index}>
                    <td>
                      <a href={href('timeline', one.index)}>{one.title.replace('\n', ', ')}</a>
                    </td>
                    <td class="right">{time(one.milliseconds)}</td>
                    <td class="right">{one.intensity.toPrecision(3)}</td>
                    <td class="right">{amount(Math.round(one.rate * 1e9))}</td>
                    <td class="right">{(100 * one.share).toFixed(0)} %</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </>
      ) : (
        <p>This adapter has no timestamps, so there is nothing to draw.</p>
      )}
    </section>
  )
}
