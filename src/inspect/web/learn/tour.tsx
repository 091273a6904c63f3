import type { ComponentType } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { at } from '../../../base/at.ts'
import { go, href } from '../route.ts'
import { FreezingControl } from './freezingControl.tsx'
import { GradientStep } from './gradientStep.tsx'
import { hasImage, Pixels } from './pixels.tsx'
import { hasMaps, ReceptiveFields } from './receptiveFields.tsx'
import { Scores } from './scores.tsx'
import { SlidingProduct, slidingCall } from './slidingProduct.tsx'
import { Tiles } from './tiles.tsx'

interface Step {
  readonly name: string
  readonly component: ComponentType
  /** Whether the recording has what it shows. */
  readonly has: boolean
}

const all: readonly Step[] = [
  { name: 'An image is numbers', component: Pixels, has: hasImage },
  {
    name: 'A convolution is a dot product that slides',
    component: SlidingProduct,
    has: slidingCall !== null,
  },
  { name: 'Deeper layers see more', component: Fields, has: hasMaps },
  { name: 'From maps to an answer', component: Scores, has: true },
  { name: 'How a weight learns', component: GradientStep, has: true },
  { name: 'What freezing saves', component: Saving, has: true },
  { name: 'From naive to tiled, in four steps', component: Tiles, has: true },
]
const steps = all.filter(({ has }) => has)

/** A walk through the network for newcomers, each step on this recording's own numbers. */
export function Tour({ args }: { readonly args: readonly string[] }) {
  const asked = Number(args[0]) || 1
  const place = Math.min(steps.length, Math.max(1, Math.floor(asked))) - 1
  const { name, component: Shown } = at(steps, place)
  const heading = useRef<HTMLHeadingElement>(null)
  const walked = useRef(false)
  useEffect(() => {
    if (walked.current) heading.current?.focus()
    walked.current = true
  }, [place])
  return (
    <section class="learn tour">
      <h2>A guided tour</h2>
      <ol class="tour-steps">
        {steps.map((step, i) => (
          <li key={step.name}>
            <a
              href={href('tour', i + 1)}
              aria-current={i === place ? 'step' : undefined}
              title={step.name}
            >
              <span class="step-number">{i + 1}</span> <span class="step-name">{step.name}</span>
            </a>
          </li>
        ))}
      </ol>
      <article>
        <h3 ref={heading} tabIndex={-1}>
          {place + 1}. {name}
        </h3>
        <Shown />
      </article>
      <p class="actions">
        {place > 0 ? (
          <button type="button" onClick={() => go('tour', place)}>
            ← Back
          </button>
        ) : null}{' '}
        {place < steps.length - 1 ? (
          <button type="button" class="primary" onClick={() => go('tour', place + 2)}>
            Next: {at(steps, place + 1).name} →
          </button>
        ) : (
          <a href={href('chapters')}>On to the chapters</a>
        )}
      </p>
    </section>
  )
}

function Fields() {
  return (
    <ReceptiveFields>
      <p>
        A number of the first layer sees a few pixels. The next layer reads those numbers, so each
        of its own sees more of the image. Move the slider to go deeper; point at the map to see
        which part of the image a number depends on.
      </p>
    </ReceptiveFields>
  )
}

function Saving() {
  return (
    <FreezingControl>
      <p>
        Transfer learning keeps layers as they were trained: they are <b>frozen</b>. Backward ends
        where nothing earlier trains, no gradient is computed or held for a frozen layer, and the
        optimizer does nothing there. Choose how many layers train, and see what a step costs.
      </p>
    </FreezingControl>
  )
}
