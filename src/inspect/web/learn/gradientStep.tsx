import { useState } from 'preact/hooks'
import { at } from '../../../base/at.ts'
import { gradientsOf } from '../../calls.ts'
import { logitsCall } from '../../graph.ts'
import type { InspectedCall } from '../../inspection.ts'
import { largest, logitGradient, softmaxOf } from '../../probabilities.ts'
import { stepRate } from '../../step.ts'
import { Explain, isExplained } from '../explain.tsx'
import { inspection, logits, target, valuesOf } from '../model.ts'
import { Slider } from '../slider.tsx'
import { number } from '../text.ts'
import { Lesson } from './lesson.tsx'
import { planeOf, usePlace } from './place.tsx'

/** The first call of an operator whose weight gradient was recorded and can be written out. */
const recordedGradient = (operator: string, start: readonly number[]): InspectedCall | null =>
  inspection.calls.find(
    (call) =>
      call.pass === 'forward' &&
      call.operator === operator &&
      gradientsOf(inspection, call).dweight !== undefined &&
      isExplained(call, 'dweight', start),
  ) ?? null

const convolution = recordedGradient('conv2d', [0, 0, 0, 0])
const dense = recordedGradient('linear', [0, 0])

/** How a gradient is computed: by what the recording has of one. */
export function GradientStep() {
  return (
    <>
      <LogitGradient />
      {convolution ? (
        <ConvolutionGradient call={convolution} />
      ) : dense ? (
        <DenseGradient call={dense} />
      ) : null}
    </>
  )
}

/** Where every gradient begins: at the scores. It needs no recording of a training step. */
function LogitGradient() {
  const probabilities = softmaxOf(logits())
  const { classes } = inspection
  const [told, setTold] = useState(target ?? largest(probabilities, 1)[0] ?? 0)
  if (probabilities.length === 0)
    return <p>The scores are not finite, and neither is any gradient: the network has diverged.</p>
  const gradient = logitGradient(probabilities, told)
  const shown = [...new Set([...largest(probabilities, 5), told])]
  const last = logitsCall(inspection)
  const chosen = target === null
  return (
    <Lesson
      figure={
        <ul class="signed" aria-label="The gradient by each score">
          {shown.map((index) => {
            const value = at(gradient, index)
            return (
              <li key={index}>
                <bdi class="label">
                  {at(classes, index)}
                  {index === told ? ' (true)' : ''}
                </bdi>
                <span class="track" aria-hidden="true">
                  <span
                    class={value < 0 ? 'below' : 'above'}
                    style={{ width: `${50 * Math.abs(value)}%` }}
                  />
                </span>
                <span class="value">
                  {number(value)}, {value < 0 ? 'rises' : 'falls'}
                </span>
              </li>
            )
          })}
        </ul>
      }
    >
      <p>
        Learning begins at the scores. The gradient of the loss by a score is its probability, less
        1 for the true class: the true class has to rise, all others have to fall, those most that
        were believed most.
      </p>
      {chosen ? (
        <label class="pick">
          Say the true class is{' '}
          <select value={told} onChange={(event) => setTold(Number(event.currentTarget.value))}>
            {largest(probabilities, 50).map((index) => (
              <option key={index} value={index}>
                {at(classes, index)}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      {last?.operator === 'linear' ? (
        <p>
          {last.layer} makes a score of weights times inputs. So the gradient of one of its weights
          is the gradient of its score times the input that it met
          {convolution || dense
            ? '.'
            : ', and a step of SGD takes a little of that off the weight.'}
        </p>
      ) : null}
    </Lesson>
  )
}

function DenseGradient({ call }: { readonly call: InspectedCall }) {
  const [outputs = 1, inputs = 1] = (valuesOf(call.tensors.weight ?? '')?.shape ?? []).map(Number)
  const x = valuesOf(call.tensors.x ?? '')?.values ?? []
  const [input, setInput] = useState(largest(Array.from(x), 1)[0] ?? 0)
  const [output, setOutput] = useState(Math.min(outputs - 1, target ?? 0))
  return (
    <Lesson figure={<Explain call={call} what="dweight" at={[output, input]} />}>
      <p>
        Here are the numbers of {call.layer}, which trains. Choose one of its weights: a step of SGD
        takes {stepRate.lr} of the gradient off it.
      </p>
      <Slider
        label="Output"
        min={0}
        max={outputs - 1}
        value={output}
        text={inspection.classes.length === outputs ? at(inspection.classes, output) : `${output}`}
        onValue={setOutput}
      />
      <Slider
        label="Input"
        min={0}
        max={inputs - 1}
        value={input}
        text={String(input)}
        onValue={setInput}
      />
    </Lesson>
  )
}

function ConvolutionGradient({ call }: { readonly call: InspectedCall }) {
  const [height, width] = planeOf(call, 'weight')
  const { row, column, control } = usePlace(height, width)
  return (
    <Lesson figure={<Explain call={call} what="dweight" at={[0, 0, row, column]} />}>
      <p>
        A weight of a convolution is part of every number of its map, each time with another number
        of what it reads. So its gradient is the sum of dy, the gradient of each of those numbers,
        times that number: a dot product of the input and dy, which takes the place of the filter.
        For the next weight the numbers are one step to the right: the gradient of a convolution is
        another convolution. Here it is for {call.layer}.
      </p>
      {control('Which weight of the filter')}
    </Lesson>
  )
}
