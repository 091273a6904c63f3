import { at } from '../base/at.ts'
import { UsageError } from '../base/errors.ts'
import type { Form } from '../base/form.ts'
import { numberFromZero, numberRule, positiveInteger, positiveNumber, rule } from '../base/rule.ts'
import { parseAs } from './runConfig.ts'
import type { PackedVector, Spread } from './spread.ts'
import { aspects, type Trust } from './trust.ts'

/** A vector as JSON: one signed byte a number, in base64. */
interface PackedForm {
  readonly step: number
  readonly values: string
}

/** A spread as JSON. A class that has no mean has an empty one. */
interface SpreadForm extends Omit<Spread, 'means' | 'directions'> {
  readonly means: readonly PackedForm[]
  readonly directions: readonly PackedForm[]
}

interface TrustForm extends Omit<Trust, 'spreads'> {
  readonly graftTrust: 1
  readonly spreads: Readonly<Record<(typeof aspects)[number], SpreadForm>>
}

const number = numberRule({})
const base64 = rule('bytes in base64', (value) => {
  return typeof value === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(value) && value.length % 4 === 0
})
const scale = { fields: { mean: number, deviation: positiveNumber } }
const packed: Form<PackedForm> = { fields: { step: numberFromZero, values: base64 } }
const spread: Form<SpreadForm> = {
  fields: {
    width: positiveInteger,
    means: { each: packed },
    directions: { each: packed },
    variances: { each: positiveNumber },
    rest: positiveNumber,
  },
}

const trustForm: Form<TrustForm> = {
  fields: {
    graftTrust: rule('1', (value) => value === 1),
    temperature: positiveNumber,
    spreads: { fields: { look: spread, features: spread } },
    scales: { fields: { look: scale, features: scale } },
    distances: { each: number },
  },
}

/** What tells images of the known classes from others, as a file of a run has it. */
export function trustText({ spreads, ...rest }: Trust): string {
  const form: TrustForm = {
    graftTrust: 1,
    ...rest,
    spreads: { look: writtenSpread(spreads.look), features: writtenSpread(spreads.features) },
  }
  return `${JSON.stringify(form)}\n`
}

/**
 * Reads such a file.
 * @param path its name, for errors
 * @throws UsageError when it is damaged
 */
export function parseTrust(bytes: Uint8Array, path: string): Trust {
  const { graftTrust: _, spreads, ...rest } = parseAs(bytes, trustForm, path, remedy)
  for (const aspect of aspects) {
    const wrong = mismatchIn(spreads[aspect])
    if (wrong) throw new UsageError(`${path} is damaged: spreads.${aspect}.${wrong}; ${remedy}`)
  }
  if (rest.distances.some((one, i, all) => i > 0 && one < at(all, i - 1)))
    throw new UsageError(`${path} is damaged: distances do not ascend; ${remedy}`)
  return {
    ...rest,
    spreads: { look: readSpread(spreads.look), features: readSpread(spreads.features) },
  }
}

const remedy = 'remove it, and resume the run, which writes it again'

const writtenSpread = ({ means, directions, ...rest }: Spread): SpreadForm => ({
  means: means.map((mean) => (mean ? written(mean) : { step: 0, values: '' })),
  directions: directions.map(written),
  ...rest,
})

const readSpread = ({ means, directions, ...rest }: SpreadForm): Spread => ({
  means: means.map((mean) => (mean.values === '' ? null : read(mean))),
  directions: directions.map(read),
  ...rest,
})

/** What does not fit together in a spread, in words; null if all does. */
function mismatchIn({ width, means, directions, variances }: SpreadForm): string | null {
  const lists = { means: means.filter(({ values }) => values !== ''), directions }
  for (const [name, list] of Object.entries(lists))
    for (const { values } of list) {
      const length = atob(values).length
      if (length !== width) return `${name} hold ${length} numbers, and ${width} are needed`
    }
  return directions.length === variances.length
    ? null
    : `variances are ${variances.length}, and ${directions.length} are needed`
}

const written = ({ step, values }: PackedVector): PackedForm => ({
  step,
  values: btoa(Array.from(values, (value) => String.fromCharCode(value & 255)).join('')),
})

const read = ({ step, values }: PackedForm): PackedVector => ({
  step,
  values: Int8Array.from(atob(values), (character) => (character.charCodeAt(0) << 24) >> 24),
})
