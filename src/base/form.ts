import { isRecord } from './json.ts'
import { typeName } from './options.ts'
import type { Rule } from './rule.ts'

/**
 * What a value of a JSON file has to be: a rule for a single value, a form for each one of a list,
 * or a form for each field of an object. It is written beside the value's type, and a field without
 * a form does not compile.
 */
export type Form<T> =
  | Rule
  | (NonNullable<T> extends readonly (infer One)[]
      ? { readonly each: Form<One> }
      : NonNullable<T> extends object
        ? { readonly fields: FieldForms<NonNullable<T>> }
        : never)

type FieldForms<T extends object> = {
  readonly [name in keyof T]-?: Form<T[name]> | { readonly optional: Form<T[name]> }
}

/** A form without the type that it was written for. */
type AnyForm = Rule | { readonly each: AnyForm } | { readonly fields: AnyFields }
type AnyFields = { readonly [name: string]: AnyForm | { readonly optional: AnyForm } }

/**
 * The first part of a value that does not have its form, in words: 'plan.trained is an object, and
 * has to be a list'. Null if there is none. Fields that the form does not name are passed over: a
 * newer version may have written them.
 * @param optional fields may be missing, or null
 */
export function misfit<T>(value: unknown, form: Form<T>, where = ''): string | null {
  return misfitOf(value, form as AnyForm, where)
}

function misfitOf(value: unknown, form: AnyForm, where: string): string | null {
  const wrong = (words: string) =>
    `${where === '' ? 'it' : where} is ${shown(value)}, and has to be ${words}`
  if ('fits' in form) return form.fits(value) ? null : wrong(form.words)
  if ('each' in form) {
    if (!Array.isArray(value)) return wrong('a list')
    for (const [i, one] of value.entries()) {
      const found = misfitOf(one, form.each, `${where}[${i}]`)
      if (found !== null) return found
    }
    return null
  }
  if (!isRecord(value)) return wrong('an object')
  for (const [name, field] of Object.entries(form.fields)) {
    const path = where === '' ? name : `${where}.${name}`
    const one = Object.hasOwn(value, name) ? value[name] : undefined
    if ('optional' in field && (one === undefined || one === null)) continue
    if (one === undefined) return `${path} is missing`
    const found = misfitOf(one, 'optional' in field ? field.optional : field, path)
    if (found !== null) return found
  }
  return null
}

/** A value in a few characters. */
function shown(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object') return `an ${typeName(value).toLowerCase()}`
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
