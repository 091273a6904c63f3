import * as Plot from '@observablehq/plot'
import { useCallback, useMemo, useState } from 'preact/hooks'
import { at } from '../../../base/at.ts'
import {
  type DescentStep,
  descend,
  type Landscape,
  landscapes,
  type Outcome,
  outcomeOf,
} from '../../descent.ts'
import { Plotted } from '../plotted.tsx'
import { Slider } from '../slider.tsx'
import { number } from '../text.ts'
import { Lesson } from './lesson.tsx'
import { Notice } from './notice.tsx'

const steps = 40

const verdicts: Readonly<Record<Outcome, string>> = {
  arrived: 'It has arrived at the bottom of a valley.',
  slow: 'It is still on its way: more steps, or larger ones.',
  bounces: 'It jumps from one side to the other: the rate is nearly too large.',
  diverged: 'It leaves the valley, further with every step: the rate is too large.',
}

/** Gradient descent on one weight. */
export function DescentChapter() {
  const [exponent, setExponent] = useState(-1)
  const [momentum, setMomentum] = useState(0)
  const [chosen, setChosen] = useState(0)
  const lr = 10 ** exponent
  const landscape = at(landscapes, chosen)
  const path = useMemo(() => descend(landscape, { lr, momentum, steps }), [landscape, lr, momentum])
  const outcome = outcomeOf(landscape, path)
  const draw = useCallback((width: number) => drawPath(landscape, path, width), [landscape, path])
  const last = at(path, path.length - 1)
  return (
    <Lesson
      figure={
        <Plotted
          label={`The loss by the weight, and ${path.length} places on it`}
          draw={draw}
          widest={760}
        />
      }
      after={
        <Notice>
          <ul>
            <li>
              Too small a rate hardly moves. In one valley of this shape anything above 2 diverges.
            </li>
            <li>
              Steps shrink by themselves towards the bottom, because the gradient does: the rate
              stays the same.
            </li>
            <li>
              Between two valleys a small rate stays in the nearer one. <b>Momentum</b>, a memory of
              the steps before, can carry the weight over: try a rate of 0.1 with momentum 0.9.
            </li>
          </ul>
        </Notice>
      }
    >
      <p>
        Training walks downhill. The <b>gradient</b> says which way is up and how steep it is; a
        step of SGD changes a weight by the <b>learning rate</b> times the gradient, downwards. Here
        is one weight and its loss; a network has millions, and does the same with each. The dots
        are {steps} steps by the rule that Graft trains with.
      </p>
      <label class="pick">
        Loss{' '}
        <select value={chosen} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
          {landscapes.map(({ name }, i) => (
            <option key={name} value={i}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <Slider
        label="Learning rate"
        min={-2}
        max={0.5}
        step={0.05}
        value={exponent}
        text={lr.toPrecision(2)}
        onValue={setExponent}
      />
      <Slider
        label="Momentum"
        min={0}
        max={0.95}
        step={0.05}
        value={momentum}
        text={momentum.toFixed(2)}
        onValue={setMomentum}
      />
      <p class={outcome === 'diverged' ? 'verdict wrong' : 'verdict'} aria-live="polite">
        {verdicts[outcome]}{' '}
        <span class="quiet">
          After {path.length - 1} steps: weight {number(last.weight)}, loss {number(last.loss)}.
        </span>
      </p>
    </Lesson>
  )
}

function drawPath({ loss, domain }: Landscape, path: readonly DescentStep[], width: number) {
  const [low, high] = domain
  const curve = Array.from({ length: 161 }, (_, i) => {
    const weight = low + ((high - low) * i) / 160
    return { weight, loss: loss(weight) }
  })
  const top = 1.05 * Math.max(...curve.map((point) => point.loss))
  const inside = path.filter(
    (step) => step.weight >= low && step.weight <= high && step.loss <= top,
  )
  return Plot.plot({
    width,
    height: Math.max(240, Math.min(360, width * 0.5)),
    marginLeft: 44,
    marginBottom: 40,
    style: { background: 'transparent', color: 'inherit', fontSize: '13px' },
    x: { domain: [low, high], label: 'the weight' },
    y: { domain: [0, top], label: 'the loss', grid: true, ticks: 5 },
    marks: [
      Plot.line(curve, { x: 'weight', y: 'loss', stroke: 'currentColor', strokeWidth: 2 }),
      Plot.line(inside, { x: 'weight', y: 'loss', stroke: 'var(--gradient)', strokeOpacity: 0.5 }),
      Plot.dot(inside, {
        x: 'weight',
        y: 'loss',
        r: 4.5,
        fill: 'var(--gradient)',
        stroke: 'var(--ground)',
      }),
      Plot.text(inside.slice(0, 1), {
        x: 'weight',
        y: 'loss',
        text: () => 'start',
        dx: 22,
        fill: 'currentColor',
      }),
    ],
  })
}
