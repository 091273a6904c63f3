import { createContext } from 'preact'
import { useContext, useEffect } from 'preact/hooks'
import { type Bounds, numberRule, type Rule } from '../base/rule.ts'

/** A field whose text cannot be used. */
export interface FieldProblem {
  readonly label: string
  readonly message: string
}

/** The fields whose text cannot be used, by their elements' ids. */
export type FieldProblems = ReadonlyMap<string, FieldProblem>

/** Tells the page of a field's problem, or that it has none. */
export type TellProblem = (id: string, problem: FieldProblem | null) => void

export const ProblemTeller = createContext<TellProblem>(() => {})

/** Tells the page of a field's problem, for as long as the field is there. */
export function useFieldProblem(id: string, label: string, message: string | null): void {
  const tell = useContext(ProblemTeller)
  useEffect(() => {
    tell(id, message === null ? null : { label, message })
  }, [id, label, message])
  useEffect(() => () => tell(id, null), [id])
}

export function withProblem(
  problems: FieldProblems,
  id: string,
  problem: FieldProblem | null,
): FieldProblems {
  if (!problem && !problems.has(id)) return problems
  const changed = new Map(problems)
  if (problem) changed.set(id, problem)
  else changed.delete(id)
  return changed
}

/**
 * What the page allows in a field, where the library allows more: a training of a billion rounds is
 * a slip of the keyboard here, and a step of size 0 teaches nothing.
 */
const limits: Readonly<Record<string, Bounds>> = {
  epochs: { integer: true, min: 1, max: 10_000 },
  batchSize: { integer: true, min: 1, max: 4096 },
  lr: { above: 0, max: 10 },
  weightDecay: { min: 0, max: 1 },
  patience: { integer: true, min: 1, max: 10_000 },
  headEpochs: { integer: true, min: 1, max: 10_000 },
  mixup: { above: 0, max: 10 },
}

/** The rule of an option's field. */
export function fieldRule(name: string, rule: Rule): Rule {
  const narrower = limits[name]
  return narrower ? numberRule(narrower) : rule
}

/** What a text in a field of numbers stands for, or what is wrong with it. */
export function readNumber(
  text: string,
  rule: Rule,
  options: { readonly off?: number | undefined; readonly mayBeEmpty: boolean },
): { readonly value: number | null } | { readonly problem: string } {
  const typed = text.trim()
  if (typed === '') return options.mayBeEmpty ? { value: null } : { problem: `${wanted(rule)}.` }
  if (/^[+-]?\d*,\d+$/.test(typed))
    return { problem: `Write ${typed.replace(',', '.')}, with a point.` }
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(typed) ? Number(typed) : Number.NaN
  if (value === options.off) return { value: null }
  if (!rule.fits(value)) {
    const or = options.off === undefined ? '' : `, or ${options.off}`
    return { problem: `${wanted(rule)}${or}.` }
  }
  return { value }
}

/** What a field wants, in plain words. */
function wanted({ bounds = {}, words }: Rule): string {
  const { integer = false, min, max, above, below } = bounds
  const what = integer ? 'Write a whole number' : 'Write a number'
  if (min !== undefined && max !== undefined) return `${what} from ${min} to ${max}`
  if (above !== undefined && max !== undefined) return `${what} above ${above}, up to ${max}`
  if (above !== undefined && below !== undefined) return `${what} between ${above} and ${below}`
  if (min !== undefined) return `${what}, ${min} or more`
  if (above !== undefined) return `${what} above ${above}`
  return `It has to be ${words}`
}
