import { layerTimes, noTimes } from '../../nn/layerTimes.ts'
import { launchedBy } from '../calls.ts'
import { stateOf } from '../layerState.ts'
import { describeState } from './layers.ts'
import { inspection } from './model.ts'
import { href } from './route.ts'
import { amount, shapeText, time } from './text.ts'

/** The network as a list of layers: what each is, whether it trains, and its GPU time. */
export function NetworkMap() {
  const { layers, removed, plan, train } = inspection
  const byLayer = layerTimes(inspection.dispatches)
  const timesOf = (name: string) => byLayer.get(name) ?? noTimes
  const times = layers.map(({ name }) => timesOf(name))
  const longest = Math.max(
    ...times.map(({ forward, gradient, step }) => forward + gradient + step),
    1e-9,
  )
  const first = layers.findIndex((layer) => layer.parameters.some(({ trainable }) => trainable))
  return (
    <section>
      <h2>The network</h2>
      {plan ? <Reasons /> : null}
      <p class="legend">
        <span class="key forward">forward</span>
        {train ? (
          <>
            <span class="key gradient">gradients</span>
            <span class="key step">optimizer</span>
          </>
        ) : null}
        <span class="quiet">Bars are GPU time. Click a layer's name to see its tensors.</span>
      </p>
      <ol class="layers">
        {layers.map((layer, i) => {
          const state = stateOf(layer)
          const spent = timesOf(layer.name)
          const values = layer.parameters.reduce(
            (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
            0,
          )
          return (
            <li key={layer.name} class={`layer ${state}`}>
              {train && i === first && i > 0 ? (
                <p class="stop">Backward stops here: no layer above this line trains.</p>
              ) : null}
              <div class="row">
                <a class="name" href={href('tensors', layer.name)}>
                  {layer.name}
                </a>
                <span class="what">
                  {layer.description}
                  {within(layer.name)}
                </span>
                <span class={`badge ${state}`}>{describeState(layer)}</span>
                <span class="size">
                  {shapeText(layer.outShape)}
                  {values ? `, ${amount(values)} values` : ''}
                </span>
                <span class="bar" aria-hidden="true">
                  {(['forward', 'gradient', 'step'] as const).map((kind) => (
                    <span
                      key={kind}
                      class={kind}
                      style={{ width: `${(100 * spent[kind]) / longest}%` }}
                    />
                  ))}
                </span>
                <span class="ms">
                  {inspection.milliseconds !== null && byLayer.has(layer.name)
                    ? time(spent.forward + spent.gradient + spent.step)
                    : ''}
                </span>
              </div>
            </li>
          )
        })}
      </ol>
      {removed.length ? (
        <p class="cut">
          Cut off by the scenario: <s>{removed.join(', ')}</s>
        </p>
      ) : null}
    </section>
  )
}

/** Whose launch computes a layer, where it has none of its own. */
function within(layer: string): string {
  const call = inspection.calls.find((one) => one.layer === layer && one.pass === 'forward')
  const by = call ? launchedBy(inspection, call) : null
  return by ? `, in the launch of ${by.layer}` : ''
}

function Reasons() {
  const { plan } = inspection
  if (!plan) return null
  return (
    <p>
      Scenario <strong>{plan.scenario}</strong>, from {plan.startsFrom} weights.{' '}
      {plan.reasons.join(' ')} {plan.cut ? `Cut after ${plan.cut}. ` : ''}
      {amount(plan.trainedValues)} values train, {amount(plan.frozenValues)} are frozen.
    </p>
  )
}
