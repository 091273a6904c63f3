/**
 * One number of a tensor, written out: which numbers it was made of, and how. Plain float64 over
 * the values that a recording kept; the page shows it when a number is clicked.
 */
import {
  type ExplainedCall as CallOf,
  type Explanation,
  NotKept,
} from '../reference/explanation.ts'
import { specifications } from '../reference/index.ts'

export {
  type Explanation,
  type Field,
  NotKept,
  type Term,
  type Values,
} from '../reference/explanation.ts'

/** A recorded call of any operator. */
export interface ExplainedCall extends CallOf<Readonly<Record<string, unknown>>> {
  readonly operator: string
}

/**
 * Writes out one element of an operator's result.
 * @param at its coordinates in y
 * @throws NotKept where the recording lacks a value
 * @example explainOutput(call, [0, 3, 5, 2]).terms.length // 75: a filter of 5 x 5, 3 channels
 */
export function explainOutput(call: ExplainedCall, at: readonly number[]): Explanation {
  const specification = specifications[call.operator]
  if (!specification) throw new NotKept(`nothing explains the numbers of ${call.operator}`)
  return specification.explain(call, at)
}

/**
 * Writes out one element of a weight's gradient: the products of dy and x that it sums.
 * @param at its coordinates in the weight
 * @throws NotKept where the recording lacks a value
 */
export function explainWeightGradient(call: ExplainedCall, at: readonly number[]): Explanation {
  const specification = specifications[call.operator]
  if (!specification?.explainWeightGradient)
    throw new NotKept(`nothing explains a weight's gradient of ${call.operator}`)
  return specification.explainWeightGradient(call, at)
}
