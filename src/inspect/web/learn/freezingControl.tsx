import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { at } from '../../../base/at.ts'
import { thousands } from '../../../base/format.ts'
import { type CutCost, cutCosts, cutOf, type StepCost } from '../../cutCosts.ts'
import { layerNamed } from '../layers.ts'
import { inspection } from '../model.ts'
import { Slider } from '../slider.tsx'
import { amount, share, time } from '../text.ts'
import { Lesson } from './lesson.tsx'

const { cuts, recorded } = cutCosts(inspection)
const own = inspection.layers.filter(({ parameters }) => parameters.length)
const whole = at(cuts, cuts.length - 1)
const kinds = ['forward', 'gradient', 'step'] as const

interface FreezingControlProps {
  /** What is told before, and after. */
  readonly children: ComponentChildren
  readonly after?: ComponentChildren
}

const estimated =
  'The forward pass is recorded; the rest is estimated from it, each gradient with the ' +
  'arithmetic of the forward pass. A recording of a training step has it measured.'

/** How much work a step makes when everything from a layer on trains, the layer chosen here. */
export function FreezingControl({ children, after }: FreezingControlProps) {
  const [place, setPlace] = useState(cutOf(inspection, cuts) ?? Math.min(1, cuts.length - 1))
  const cut = at(cuts, place)
  const from = cut.from === null ? own.length : own.findIndex(({ name }) => name === cut.from)
  const timed = whole.total.milliseconds !== null
  const asRecorded = inspection.train && cutOf(inspection, cuts) === place
  return (
    <Lesson
      after={after}
      figure={
        <>
          <ul class="strip" aria-label="Layers with parameters">
            {own.map(({ name }, i) => (
              <li
                key={name}
                class={i < from ? 'part frozen' : 'part trained'}
                title={describe(name)}
              >
                <span>{name}</span>
                <span class="state">{i < from ? 'frozen' : 'trains'}</span>
              </li>
            ))}
          </ul>
          <dl class="meters" aria-live="polite">
            <Meter
              name="arithmetic"
              cut={cut}
              of={(cost) => cost.flops}
              text={(n) => amount(n, 'FLOP')}
            />
            <Meter
              name="memory moved"
              cut={cut}
              of={(cost) => cost.bytes}
              text={(n) => amount(n, 'B')}
            />
            {timed ? (
              <Meter
                name="GPU time"
                cut={cut}
                of={(cost) => cost.milliseconds ?? 0}
                text={(n) => time(n)}
              />
            ) : null}
            <div>
              <dt>values that train</dt>
              <dd>
                {thousands(cut.values)} of {thousands(whole.values)}
              </dd>
            </div>
          </dl>
          <p class="legend">
            <span class="key forward">forward</span>
            <span class="key gradient">gradients</span>
            <span class="key step">optimizer</span>
            <span class="quiet">
              {asRecorded ? 'This is the recorded step. ' : ''}
              {recorded
                ? 'Sums over the kernels of a recorded step in which everything trained.'
                : estimated}
            </span>
          </p>
        </>
      }
    >
      {children}
      <Slider
        label="Layers that train, from the end"
        min={0}
        max={cuts.length - 1}
        value={place}
        text={place === 0 ? 'none' : `${place} of ${own.length}, from ${cut.from}`}
        onValue={setPlace}
      />
    </Lesson>
  )
}

interface MeterProps {
  readonly name: string
  readonly cut: CutCost
  readonly of: (cost: StepCost) => number
  readonly text: (value: number) => string
}

function Meter({ name, cut, of, text }: MeterProps) {
  const most = of(whole.total) || 1
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {text(of(cut.total))}{' '}
        <span class="quiet">{share(of(cut.total) / most)} of everything training</span>
        <span class="bar" aria-hidden="true">
          {kinds.map((kind) => (
            <span
              key={kind}
              class={kind}
              style={{ width: `${(100 * of(cut.byKind[kind])) / most}%` }}
            />
          ))}
        </span>
      </dd>
    </div>
  )
}

const describe = (name: string) => `${name}: ${layerNamed(name)?.description ?? ''}`
