import type { Form } from '../base/form.ts'
import { numberFromZero, numberRule, rule } from '../base/rule.ts'
import { parseAs } from './runConfig.ts'
import type { Trust } from './trust.ts'

/** `Trust` as JSON: the means in base64, one signed byte a number, empty where there is none. */
interface TrustForm extends Omit<Trust, 'centers'> {
  readonly graftTrust: 1
  readonly centers: readonly { readonly look: string; readonly features: string }[]
}

const number = numberRule({})
const base64 = rule('a text in base64', (value) => {
  return typeof value === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(value)
})
const scale = { fields: { mean: number, deviation: numberRule({ above: 0 }) } }

const trustForm: Form<TrustForm> = {
  fields: {
    graftTrust: rule('1', (value) => value === 1),
    temperature: numberFromZero,
    centers: { each: { fields: { look: base64, features: base64 } } },
    scales: { fields: { look: scale, features: scale } },
    distances: { each: number },
  },
}

/** What tells images of the known classes from others, as a file of a run has it. */
export function trustText({ centers, ...rest }: Trust): string {
  const text = (values: Int8Array | undefined) =>
    btoa(Array.from(values ?? [], (value) => String.fromCharCode(value & 255)).join(''))
  const form: TrustForm = {
    graftTrust: 1,
    ...rest,
    centers: centers.map((one) => ({ look: text(one?.look), features: text(one?.features) })),
  }
  return `${JSON.stringify(form)}\n`
}

/**
 * Reads such a file.
 * @param path its name, for errors
 * @throws UsageError when it is damaged
 */
export function parseTrust(bytes: Uint8Array, path: string): Trust {
  const remedy = 'remove it, and resume the run, which writes it again'
  const { graftTrust: _, centers, ...rest } = parseAs(bytes, trustForm, path, remedy)
  const values = (text: string) =>
    Int8Array.from(atob(text), (character) => (character.charCodeAt(0) << 24) >> 24)
  return {
    ...rest,
    centers: centers.map(({ look, features }) =>
      features === '' ? null : { look: values(look), features: values(features) },
    ),
  }
}
