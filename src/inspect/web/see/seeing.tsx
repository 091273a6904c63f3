import { useEffect } from 'preact/hooks'
import { percent } from '../../../base/format.ts'
import { stateOf } from '../../layerState.ts'
import { imageValues, inspection, nodes } from '../model.ts'
import { href } from '../route.ts'
import { ClassBars } from './bars.tsx'
import { ChosenLayer } from './chosenLayer.tsx'
import { Drawing } from './drawing.tsx'
import { Small } from './small.tsx'

const shownSize = { width: 224, height: 224 } as const

const states = [
  ['new', 'new: trains from random values'],
  ['trained', 'trains'],
  ['frozen', 'frozen: keeps what it learned'],
  ['bare', 'no parameters'],
  ['cut', 'cut off'],
] as const

/** What the page opens on: the image, what it is taken for, and the network between them. */
export function Seeing({ args }: { readonly args: readonly string[] }) {
  const [named = ''] = args
  const chosen = nodes.find(({ layers }) => layers.includes(named))
  useEffect(() => {
    if (!chosen) return
    document.getElementById('chosen-layer')?.scrollIntoView({ block: 'nearest' })
  }, [chosen])
  const image = imageValues()
  const { layers, removed } = inspection
  const present = new Set<string>(layers.map(stateOf))
  if (removed.length) present.add('cut')
  return (
    <section class="seeing">
      <h2>What the network sees</h2>
      <div class="overview">
        {image ? (
          <figure class="input">
            <Small values={image} size={shownSize} image />
            <figcaption class="quiet">The image as the network gets it</figcaption>
          </figure>
        ) : null}
        <div class="answer">
          <p class="sentence">
            <Sentence />
          </p>
          <ClassBars />
          <DropoutNote />
        </div>
      </div>
      <h3>From the image to the answer</h3>
      <p class="quiet">
        Each box is one layer's result, with the maps that answer most: bright is a large number.
        Click a box to see all of it. New here? <a href={href('tour')}>Take the tour.</a>
      </p>
      <p class="legend">
        {states
          .filter(([state]) => present.has(state))
          .map(([state, text]) => (
            <span key={state} class={`key part ${state}`}>
              {text}
            </span>
          ))}
      </p>
      <Drawing chosen={chosen?.layer ?? ''} />
      {chosen ? <ChosenLayer node={chosen} /> : null}
    </section>
  )
}

function Sentence() {
  const { top, target, targetGiven, train, loss } = inspection
  const [best] = top
  if (!best) return <>The network gives no answer.</>
  const ending =
    best.name === target ? (
      ', and it is right.'
    ) : (
      <>
        ; it is <bdi>{target}</bdi>.
      </>
    )
  return (
    <>
      The network takes the image for{' '}
      <strong>
        <bdi>{best.name}</bdi>
      </strong>
      , {percent(best.probability)} sure{targetGiven ? ending : '.'}
      {train && loss !== null ? ` The loss is ${loss.toFixed(3)}.` : ''}
    </>
  )
}

/** In a training step dropout is on, so that the answer is not that of `graft predict`. */
function DropoutNote() {
  const drops = inspection.calls.some(
    ({ operator, pass }) => operator === 'dropout' && pass === 'forward',
  )
  if (!drops) return null
  return (
    <p class="quiet">
      This is a training step, in which dropout is on: without it the probabilities are a little
      different.
    </p>
  )
}
