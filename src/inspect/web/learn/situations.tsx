import { type Part, type PartState, type Situation, situationsOf } from '../../situations.ts'
import { inspection } from '../model.ts'
import { amount } from '../text.ts'

const words: Readonly<Record<PartState, string>> = {
  frozen: 'frozen',
  trained: 'trains, from what it learned',
  random: 'trains, from random values',
  new: 'new, trains',
  cut: 'cut off',
}

/** The four scenarios as figures, the recorded one marked. */
export function Situations() {
  const { plan } = inspection
  return (
    <section class="learn">
      <h2>The four scenarios</h2>
      <p>
        How much of a trained network to keep depends on two questions: how many images there are,
        and how much they are like those that it was trained on. Each figure is this network, from
        its first layer with parameters to its last.
      </p>
      <p class="legend filled">
        {(Object.keys(words) as PartState[]).map((state) => (
          <span key={state} class={`key part ${state}`}>
            {words[state]}
          </span>
        ))}
      </p>
      <ul class="situations">
        {situationsOf(inspection).map((situation) => (
          <Figure key={situation.scenario} situation={situation} />
        ))}
      </ul>
      {plan ? (
        <>
          <h3>This recording: {plan.scenario}</h3>
          <p>
            It starts from {plan.startsFrom} weights. {plan.reasons.join(' ')}{' '}
            {plan.cut ? `It is cut after ${plan.cut}. ` : ''}
            {amount(plan.trainedValues)} values train, {amount(plan.frozenValues)} are frozen.
          </p>
        </>
      ) : (
        <p>No scenario was applied to the network of this recording, so none is marked.</p>
      )}
    </section>
  )
}

function Figure({ situation }: { readonly situation: Situation }) {
  const { scenario, images, likeness, advice, parts, recorded } = situation
  return (
    <li class={recorded ? 'situation recorded' : 'situation'}>
      <h3>
        {scenario} {recorded ? <span class="mark-recorded">this recording</span> : null}
      </h3>
      <p class="quiet">
        {images}, {likeness}
      </p>
      <Parts parts={parts} />
      <p>{advice}</p>
    </li>
  )
}

const shapes = { convolution: { width: 22, gap: 10 }, dense: { width: 12, gap: 14 } } as const

/** Boxes from left to right; convolutions become smaller, and what is cut off is dashed. */
function Parts({ parts }: { readonly parts: readonly Part[] }) {
  let x = 2
  const convolutions = parts.filter(({ kind }) => kind === 'convolution')
  const drawn = parts.map((part, i) => {
    const { width, gap } = shapes[part.kind]
    const height =
      part.kind === 'dense'
        ? 44
        : 84 - (44 * convolutions.indexOf(part)) / Math.max(1, convolutions.length - 1)
    const left = x
    x += width + gap
    return { ...part, id: `${i} ${part.name}`, left, width, height }
  })
  const told = parts.map(({ name, state }) => `${name} ${words[state]}`).join(', ')
  return (
    <svg
      class="parts"
      viewBox={`0 0 ${Math.max(x, 60)} 92`}
      style={{ maxWidth: `${2 * Math.max(x, 60)}px` }}
      role="img"
      aria-label={told}
    >
      <line x1="0" x2={x - 12} y1="46" y2="46" class="axis" />
      {drawn.map(({ id, state, left, width, height, name }) => (
        <g key={id}>
          <title>{`${name}: ${words[state]}`}</title>
          <rect
            class={`part ${state}`}
            x={left}
            y={46 - height / 2}
            width={width}
            height={height}
            rx="3"
          />
          {state === 'cut' ? (
            <path
              class="cross"
              d={`M${left + 3} ${49 - height / 2}L${left + width - 3} ${43 + height / 2}`}
            />
          ) : null}
        </g>
      ))}
    </svg>
  )
}
