import { layerOf } from '../../nn/layerTimes.ts'
import type { ComparedStep } from '../inspection.ts'
import { inspection, lossName } from './model.ts'
import { Scroll } from './scroll.tsx'
import { time } from './text.ts'

interface Total {
  readonly dispatches: number
  /** Null without timestamps. */
  readonly milliseconds: number | null
}

/** The same step under two choices of what trains, layer by layer. */
export function Freezing() {
  const { compared, layers } = inspection
  const rows = [...layers.map(({ name }) => name), lossName]
  const totals = compared.map(({ dispatches }) => totalOf(dispatches))
  return (
    <section>
      <h2>What freezing saves</h2>
      <p>
        The same image through the same network, once with only the last layer training and once
        with all of it. A frozen layer is not sent a single dispatch of backward or of the
        optimizer.
      </p>
      <Scroll label="Layer by layer">
        <table class="compare">
          <thead>
            <tr>
              <th scope="col" rowSpan={2}>
                layer
              </th>
              {compared.map(({ title }) => (
                <th key={title} scope="colgroup" colSpan={2}>
                  {title}
                </th>
              ))}
            </tr>
            <tr>
              {compared.flatMap(({ title }) =>
                ['dispatches', 'GPU time'].map((what) => (
                  <th key={`${title} ${what}`} scope="col" class="right">
                    {what}
                  </th>
                )),
              )}
            </tr>
          </thead>
          <tbody>
            {rows.map((layer) => (
              <tr key={layer}>
                <th scope="row">{layer}</th>
                {compared.map((step) => (
                  <Cells key={step.title} total={totalOf(of(step, layer))} />
                ))}
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">all</th>
              {totals.map((total, i) => (
                <Cells key={compared[i]?.title} total={total} />
              ))}
            </tr>
          </tfoot>
        </table>
      </Scroll>
      <div class="columns">
        {compared.map(({ title, omissions }) => (
          <details key={title}>
            <summary>
              {title}: {omissions.length} pieces of work did not run
            </summary>
            <ul>
              {omissions.map((text) => (
                <li key={text}>{text}</li>
              ))}
            </ul>
          </details>
        ))}
      </div>
    </section>
  )
}

function Cells({ total: { dispatches, milliseconds } }: { readonly total: Total }) {
  return (
    <>
      <td class="right">{dispatches}</td>
      <td class="right">{dispatches ? time(milliseconds) : ''}</td>
    </>
  )
}

/** A layer's dispatches, its parameters' steps among them; those of no layer belong to the loss. */
function of({ dispatches }: ComparedStep, layer: string): ComparedStep['dispatches'] {
  return dispatches.filter((one) => (layerOf(one) ?? lossName) === layer)
}

/** What some dispatches come to. */
export function totalOf(dispatches: ComparedStep['dispatches']): Total {
  const timed = dispatches.every(({ milliseconds }) => milliseconds !== null)
  const milliseconds = timed
    ? dispatches.reduce((total, one) => total + (one.milliseconds ?? 0), 0)
    : null
  return { dispatches: dispatches.length, milliseconds }
}
