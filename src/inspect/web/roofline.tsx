import * as Plot from '@observablehq/plot'
import { passKind } from '../../nn/layerTimes.ts'
import { type Cost, inspection } from './model.ts'
import { Plotted } from './plotted.tsx'
import { go, href } from './route.ts'
import { Header, Scroll } from './scroll.tsx'
import { amount, rate, share, time } from './text.ts'

/** A dispatch with a measured time. */
interface Timed {
  readonly index: number
  readonly title: string
  readonly kind: string
  readonly cost: Cost | null
  readonly milliseconds: number
  readonly share: number | null
}

/** One with a place on the chart. */
interface Point extends Timed {
  /** FLOP a byte. */
  readonly intensity: number
  /** FLOP a second. */
  readonly flops: number
}

const timed: readonly Timed[] = inspection.dispatches.flatMap(
  ({ index, layer, operator, pass, cost, milliseconds, share, source }) =>
    milliseconds
      ? [
          {
            index,
            cost,
            milliseconds,
            share,
            kind: passKind(pass),
            title: `${layer ?? operator} ${pass ?? ''}\n${inspection.sources[source]?.kernel}`,
          },
        ]
      : [],
)

/** A logarithmic axis cannot show a dispatch without arithmetic. */
const data: readonly Point[] = timed.flatMap((one) =>
  one.cost?.flops
    ? [
        {
          ...one,
          intensity: one.cost.flops / one.cost.bytes,
          flops: (1000 * one.cost.flops) / one.milliseconds,
        },
      ]
    : [],
)

const measures = ['time', 'FLOP a byte', 'arithmetic', 'memory', 'of the roof']
const longest = timed.toSorted((a, b) => b.milliseconds - a.milliseconds).slice(0, 12)

/** The dispatches below the adapter's roof. */
function drawRoof(width: number) {
  const { peak } = inspection
  if (!peak) throw new TypeError('there is no roof to draw')
  const ridge = peak.gflops / peak.gbps
  const [low, high] = [
    Math.min(0.05, ...data.map(({ intensity }) => intensity / 1.5)),
    Math.max(2 * ridge, ...data.map(({ intensity }) => 1.5 * intensity)),
  ]
  const roof = [low, ridge, high].map((intensity) => ({
    intensity,
    flops: 1e9 * Math.min(peak.gflops, intensity * peak.gbps),
  }))
  const slowest = Math.min(...data.map(({ flops }) => flops), 1e9 * peak.gflops)
  return Plot.plot({
    width,
    height: Math.max(320, Math.min(560, width * 0.6)),
    marginLeft: 56,
    marginBottom: 44,
    grid: true,
    style: { background: 'transparent', color: 'inherit', fontSize: '12px' },
    x: { type: 'log', label: 'FLOP a byte', domain: [low, high], tickFormat: '~g', ticks: 5 },
    y: {
      type: 'log',
      label: 'FLOP a second',
      domain: [slowest / 2, 2e9 * peak.gflops],
      tickFormat: '~s',
      ticks: 5,
    },
    r: { range: [3, 14] },
    color: {
      domain: ['forward', 'gradient', 'step', 'other'],
      range: ['var(--forward)', 'var(--gradient)', 'var(--step)', 'var(--other)'],
    },
    marks: [
      Plot.line(roof, { x: 'intensity', y: 'flops', stroke: 'currentColor', strokeWidth: 2 }),
      Plot.dot(data, {
        x: 'intensity',
        y: 'flops',
        fill: 'kind',
        fillOpacity: 0.75,
        stroke: 'var(--ground)',
        r: 'milliseconds',
      }),
      Plot.tip(
        data,
        Plot.pointer({
          x: 'intensity',
          y: 'flops',
          title: (one: Point) =>
            `${one.title}\n${amount(one.flops, 'FLOP/s')}, ` +
            `${one.share === null ? '?' : share(one.share)} of the roof`,
          fill: 'var(--ground)',
        }),
      ),
    ],
  })
}

/** The nearest point to the pointer; for the keyboard, the table has the same links. */
function openDispatch(nearest: unknown): void {
  if (nearest) go('timeline', (nearest as Point).index)
}

/** How close each dispatch is to the adapter's limits: arithmetic, or memory. */
export function Roofline() {
  const { peak } = inspection
  return (
    <section>
      <h2>Roofline</h2>
      {peak ? (
        <>
          <p>
            This adapter computes at most {peak.gflops.toFixed(1)} GFLOP and moves{' '}
            {peak.gbps.toFixed(1)} GB a second, both measured before this step. A dispatch under the
            slope waits for memory, one under the flat roof for arithmetic. Larger dots took longer;
            click a dot to open its dispatch.
          </p>
          <p class="legend">
            <span class="key forward">forward</span>
            <span class="key gradient">gradients</span>
            <span class="key step">optimizer</span>
          </p>
          <div class="columns">
            <Plotted
              label={
                `${data.length} dispatches below a roof of ` +
                `${peak.gflops.toFixed(0)} GFLOP a second`
              }
              draw={drawRoof}
              onChoose={openDispatch}
            />
            <div>
              <p class="quiet">
                Here are the {longest.length} longest of {timed.length} dispatches.{' '}
                {timed.length > data.length
                  ? `${timed.length - data.length} dispatches only move numbers and are not drawn. `
                  : ''}
                {timed.some((one) => one.share !== null && one.share > 1)
                  ? 'A dispatch above the roof found its numbers in a cache, faster than memory. '
                  : ''}
              </p>
              <Scroll label="Where the time went">
                <table>
                  <caption>Where the time went</caption>
                  <Header columns={['dispatch', ...measures]} numbers={measures} />
                  <tbody>
                    {longest.map(({ index, title, cost, milliseconds, share: ofRoof }) => (
                      <tr key={index}>
                        <td>
                          <a href={href('timeline', index)}>{title.replace('\n', ', ')}</a>
                        </td>
                        <td class="right">{time(milliseconds)}</td>
                        <td class="right">
                          {cost?.flops ? (cost.flops / cost.bytes).toPrecision(3) : ''}
                        </td>
                        <td class="right">
                          {cost?.flops ? rate(cost.flops, milliseconds, 'FLOP') : ''}
                        </td>
                        <td class="right">{cost ? rate(cost.bytes, milliseconds, 'B') : ''}</td>
                        <td class="right">{ofRoof === null ? '' : share(ofRoof)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Scroll>
            </div>
          </div>
        </>
      ) : (
        <p>This adapter has no timestamps, so there is nothing to draw.</p>
      )}
    </section>
  )
}
