import { useState } from 'preact/hooks'
import { flatIndex } from '../../reference/ndarray.ts'
import { gradientsOf, launchedBy } from '../calls.ts'
import type { InspectedCall } from '../inspection.ts'
import { type Explanation, explainOutput, explainWeightGradient, NotKept } from '../terms.ts'
import { explainedCall, inspection, valuesOf } from './model.ts'
import { Scroll } from './scroll.tsx'
import { TensorImage } from './tensorImage.tsx'
import { number } from './text.ts'

interface ExplainProps {
  readonly call: InspectedCall
  readonly what: string
  readonly at: readonly number[]
}

/**
 * One number written out: its formula, the part of the input that it met, and every product of its
 * sum.
 */
export function Explain({ call, what, at }: ExplainProps) {
  const [all, setAll] = useState(false)
  const made = explain(call, what, at)
  const name = `${what}[${at.join(', ')}]`
  if (typeof made === 'string')
    return (
      <section class="explain" aria-label="One number">
        <h3>{name}</h3>
        <p>{made}</p>
      </section>
    )
  const stored = storedValue(call, what, at)
  const shown = all ? made.terms : made.terms.slice(0, 48)
  const xKey = (what === 'y' ? launchOf(call) : call).tensors.x
  return (
    <section
      class="explain"
      aria-label="One number"
      data-result={made.result}
      data-stored={stored ?? ''}
    >
      <h3>{name}</h3>
      <p class="formula-line">{made.formula}</p>
      <p aria-live="polite">
        {sentence(made)}{' '}
        {made.beforeRelu === null
          ? ''
          : `${number(made.beforeRelu)}, of which the ReLU in the same launch leaves `}
        <strong data-testid="result">{number(made.result)}</strong>
        {comparison(made.result, stored)}
      </p>
      <div class="beside">
        {xKey && made.field ? (
          <TensorImage
            name="x"
            title={what === 'y' ? 'The part of x that it met' : 'The part of x that the weight met'}
            tensorKey={xKey}
            field={made.field}
          />
        ) : null}
        <Scroll label="Terms" tall>
          <table>
            <caption>{made.rule === 'sum' ? 'Every product' : 'Every value'}</caption>
            <thead>
              <tr>
                <th scope="col">{made.names[0]}</th>
                <th scope="col" class="right">
                  value
                </th>
                {made.names[1] ? (
                  <>
                    <th scope="col">{made.names[1]}</th>
                    <th scope="col" class="right">
                      value
                    </th>
                    <th scope="col" class="right">
                      product
                    </th>
                  </>
                ) : null}
              </tr>
            </thead>
            <tbody>
              {shown.map((term) => (
                <tr key={`${term.aAt.join()} ${term.bAt.join()}`}>
                  <td>[{term.aAt.join(', ')}]</td>
                  <td class="right">{number(term.a)}</td>
                  {made.names[1] ? (
                    <>
                      <td>{term.bAt.length ? `[${term.bAt.join(', ')}]` : ''}</td>
                      <td class="right">{number(term.b)}</td>
                      <td class="right">{number(term.a * term.b)}</td>
                    </>
                  ) : null}
                </tr>
              ))}
            </tbody>
          </table>
          {shown.length < made.terms.length ? (
            <button type="button" onClick={() => setAll(true)}>
              Show all {made.terms.length}
            </button>
          ) : null}
        </Scroll>
      </div>
    </section>
  )
}

function sentence({ rule, terms, outside, bias, names }: Explanation): string {
  const count = terms.length.toLocaleString('en')
  const padded = outside.toLocaleString('en')
  if (rule === 'max') {
    const left = outside ? ` (${padded} more places are padding, which never counts)` : ''
    return `The largest of ${count} values${left} is`
  }
  if (rule === 'mean') return `The mean of ${count} values is`
  if (rule === 'value') return 'That is'
  if (terms.length === 1 && bias === null && !outside)
    return `The product of ${names[0]} and ${names[1]} is`
  const left = outside ? ` (${padded} more fall on padding, where x is 0)` : ''
  const first = bias === null ? '' : `The bias ${number(bias)} and `
  return `${first}${count} products of ${names[0]} and ${names[1]}${left} add up to`
}

function comparison(result: number, stored: number | null): string {
  if (stored === null) return '.'
  if (Object.is(stored, result) || stored === result) return ', which is what the GPU stored.'
  return `; the GPU stored ${number(stored)}, off by ${number(Math.abs(stored - result))}.`
}

/** The call that launched what computed y. */
function launchOf(call: InspectedCall): InspectedCall {
  return launchedBy(inspection, call) ?? call
}

/** Whether a number can be written out, from what the recording kept. */
export function isExplained(call: InspectedCall, what: string, at: readonly number[]): boolean {
  return typeof explain(call, what, at) !== 'string'
}

/** The explanation, or why there is none. */
function explain(call: InspectedCall, what: string, at: readonly number[]): Explanation | string {
  try {
    if (what === 'y') return explainOutput(explainedCall(launchOf(call)), at)
    if (what === 'dweight') return explainWeightGradient(explainedCall(call), at)
  } catch (error) {
    if (error instanceof NotKept) return `It cannot be written out: ${error.message}.`
    throw error
  }
  return 'Numbers of y, and of the gradient of weight, are written out; choose one of those.'
}

/** What the GPU computed there. */
function storedValue(call: InspectedCall, what: string, at: readonly number[]): number | null {
  const key = { ...gradientsOf(inspection, call), ...call.tensors }[what]
  const tensor = key ? valuesOf(key) : null
  // The page may hold only the first values.
  return tensor?.values[flatIndex(at, tensor.shape)] ?? null
}
