import { useEffect, useState } from 'preact/hooks'
import type { InspectedCall } from '../inspection.ts'
import { Explain } from './explain.tsx'
import { totalOf } from './freezing.tsx'
import { errorOf } from './labRun.ts'
import { inspection } from './model.ts'
import { href } from './route.ts'
import { Header, Scroll } from './scroll.tsx'
import { amount, number, shapeText, time } from './text.ts'
import { flops, type Measured, measureSteps, shapes, steps } from './tourRun.ts'

/** Four short lessons, each on this recording's own numbers and kernels. */
export function Tour() {
  const first = inspection.calls.find(
    ({ operator, pass }) => operator === 'conv2d' && pass === 'forward',
  )
  return (
    <section class="tour">
      <h2>A guided tour</h2>
      {first ? <SlidingProduct call={first} /> : null}
      {first ? <WeightGradient call={first} /> : null}
      <Freezing />
      <Tiles />
    </section>
  )
}

/** A place on a plane, moved by the reader or a timer. It starts in the middle, off the padding. */
function usePlace(height: number, width: number) {
  const count = height * width
  const [position, setPosition] = useState(Math.floor(height / 2) * width + Math.floor(width / 2))
  const [running, setRunning] = useState(false)
  useEffect(() => {
    if (!running) return
    const timer = setInterval(() => setPosition((before) => (before + 1) % count), 500)
    return () => clearInterval(timer)
  }, [running, count])
  const [row, column] = [Math.floor(position / width), position % width]
  const control = (label: string) => (
    <p class="slider">
      <label>
        {label}{' '}
        <input
          type="range"
          min={0}
          max={count - 1}
          value={position}
          aria-valuetext={`row ${row}, column ${column}`}
          onInput={(event) => {
            setRunning(false)
            setPosition(Number(event.currentTarget.value))
          }}
        />
      </label>{' '}
      <button type="button" aria-pressed={running} onClick={() => setRunning(!running)}>
        {running ? 'Stop' : 'Let it slide'}
      </button>
    </p>
  )
  return { row, column, control }
}

/** Height and width of one of a call's tensors; 1 x 1 where it was not kept. */
function planeOf({ tensors }: InspectedCall, name: 'y' | 'weight'): [number, number] {
  const key = tensors[name]
  const [, , height = 1, width = 1] = (key && inspection.tensors[key]?.shape) || []
  return [height, width]
}

function SlidingProduct({ call }: { readonly call: InspectedCall }) {
  const [height, width] = planeOf(call, 'y')
  const { row, column, control } = usePlace(height, width)
  return (
    <article>
      <h3>1. A convolution is a dot product that slides</h3>
      <p>
        Filter 0 of {call.layer} covers a window of the image. Every pixel under it is multiplied by
        the weight above it, and the sum of the products is one number of the output. Then the
        filter moves on. <a href={href('lab', 'conv2d', 'forward.wgsl')}>The plain kernel</a> is
        these loops, one thread for each number.
      </p>
      {control('Where the filter is')}
      <Explain call={call} what="y" at={[0, 0, row, column]} />
    </article>
  )
}

function WeightGradient({ call }: { readonly call: InspectedCall }) {
  const [height, width] = planeOf(call, 'weight')
  const { row, column, control } = usePlace(height, width)
  const trains = inspection.layers
    .find(({ name }) => name === call.layer)
    ?.parameters.some(({ trainable }) => trainable)
  const recorded = inspection.train && trains
  return (
    <article>
      <h3>2. The gradient of a weight is another convolution</h3>
      <p>
        A weight is part of every number of its output channel, each time with another pixel. So its
        gradient is the sum of dy, the gradient of each of those numbers, times that pixel: a dot
        product of the image and dy, which takes the place of the filter. For the next weight the
        pixels are one step to the right: dy slides on by one.
      </p>
      {recorded ? (
        <>
          {control('Which weight of the filter')}
          <Explain call={call} what="dweight" at={[0, 0, row, column]} />
        </>
      ) : (
        <p>
          {inspection.train
            ? `${call.layer} is frozen here, so its gradient was never computed`
            : 'This recording is of a forward pass'}
          : inspect with --train a network whose first layer trains to see it in numbers.
        </p>
      )}
    </article>
  )
}

function Freezing() {
  const [last, all] = inspection.compared.map(({ dispatches }) => totalOf(dispatches))
  const takes = ({ dispatches, milliseconds }: ReturnType<typeof totalOf>) =>
    milliseconds === null
      ? `${dispatches} dispatches`
      : `${dispatches} dispatches and ${time(milliseconds)} of GPU time`
  return (
    <article>
      <h3>3. What freezing saves</h3>
      {last && all ? (
        <p>
          With everything training, this step takes {takes(all)}. With only the last layer training,
          it takes {takes(last)}: backward ends where nothing earlier trains, no gradient buffer is
          held, and the optimizer does nothing. <a href={href('compare')}>Layer by layer</a>;{' '}
          <a href={href('timeline', 0)}>the dispatches</a> end with what did not run, and why.
        </p>
      ) : (
        <p>
          A recording of a training step (--train) is compared here with the same step under frozen
          layers.
        </p>
      )}
    </article>
  )
}

const measures = ['time', 'FLOP/s', 'error']

function Tiles() {
  const [results, setResults] = useState<readonly (Measured | undefined)[]>([])
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const run = async () => {
    setBusy(true)
    setProblem(null)
    setResults([])
    try {
      const found: Measured[] = []
      await measureSteps((index, measured) => {
        found[index] = measured
        setResults([...found])
      })
    } catch (error) {
      setProblem(errorOf(error).message)
    } finally {
      setBusy(false)
    }
  }
  return (
    <article>
      <h3>4. From naive to tiled, in four steps</h3>
      <p>
        One convolution, x {shapeText(shapes.x)} with {shapes.weight[0]} filters of{' '}
        {shapes.weight.slice(1).join(' x ')}, {amount(flops)}
        FLOP, in four ways. They compute the same sums; what changes is how often a fetched number
        is used.
      </p>
      <p>
        <button type="button" disabled={busy} onClick={() => void run()}>
          {busy ? 'Measuring…' : 'Measure on this GPU'}
        </button>
      </p>
      <div aria-live="polite">{problem ? <p class="error">{problem}</p> : null}</div>
      <Scroll label="The four steps">
        <table>
          <Header columns={['step', ...measures]} numbers={measures} />
          <tbody>
            {steps.map((step, i) => {
              const measured = results[i]
              return (
                <tr key={step.name} data-measured={measured ? 'yes' : 'no'}>
                  <td class="step-text">
                    <strong>{step.name}.</strong> {step.why}{' '}
                    <a href={href('lab', ...step.file.split('/'))}>{step.file}</a>
                  </td>
                  <td class="right">{measured ? time(measured.milliseconds) : ''}</td>
                  <td class="right">
                    {measured?.milliseconds
                      ? amount(Math.round((1000 * flops) / measured.milliseconds))
                      : ''}
                  </td>
                  <td class="right">{measured ? number(measured.error) : ''}</td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </Scroll>
    </article>
  )
}
