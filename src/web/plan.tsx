import { bytes, counted, thousands } from '../base/format.ts'
import type { LayerRow, Prepared } from './workerApi.ts'

/** What the scenario does to the network, layer by layer. */
export function PlanView({
  prepared,
  stale,
}: {
  readonly prepared: Prepared
  readonly stale: boolean
}) {
  const { plan, layers, variant, random, remarks, memory } = prepared
  if (!plan) return null
  return (
    <div class="plan" aria-busy={stale} data-testid="plan">
      <p>
        <strong>{plan.scenario}</strong> on {variant}, from {plan.startsFrom} weights.{' '}
        {plan.reasons.join(' ')}
      </p>
      <ol class="layers" aria-label="Layers">
        {layers.map((layer) => (
          <Layer key={`${layer.name} ${layer.state}`} layer={layer} />
        ))}
      </ol>
      {random && <p>Not in the weights, and random: {random}.</p>}
      {plan.left.length > 0 && (
        <p>FC layers of the weights that do not fit: {plan.left.join(', ')}.</p>
      )}
      {remarks.map((remark) => (
        <p key={remark}>Of the weights: {remark}.</p>
      ))}
      <p>
        {counted(plan.trainedValues, 'value')} train, {thousands(plan.frozenValues)} are frozen.
        {memory?.peakBytes && (
          <>
            {' '}
            At most {bytes(memory.peakBytes)} of the GPU’s memory in steps of{' '}
            {counted(memory.batchSize, 'image')}.
          </>
        )}
      </p>
      {memory?.problem && (
        <p class="problem" role="alert">
          Training with this batch size {memory.problem}:{' '}
          {memory.largestBatchSize
            ? `take ${memory.largestBatchSize}.`
            : 'not even one image fits; freeze layers, or start from a smaller network.'}
        </p>
      )}
    </div>
  )
}

const states = { cut: 'cut off', new: 'new', frozen: 'frozen', trained: 'trains' } as const

function Layer({ layer: { name, description, values, state } }: { readonly layer: LayerRow }) {
  return (
    <li class={`layer ${state}`}>
      <span class="name">{state === 'cut' ? <s>{name}</s> : name}</span>
      <span class="what">{description}</span>
      <span class="size">{thousands(values)}</span>
      <span class={`badge ${state}`}>{states[state]}</span>
    </li>
  )
}
