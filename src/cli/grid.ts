import { InvalidArgumentError } from 'commander'
import { UsageError } from '../base/errors.ts'
import { settingNames, type TrainSettings } from '../train/settings.ts'
import { flagName, tableOption } from './tableOptions.ts'

/** One option of `train` and the values that a sweep tries. */
export interface GridAxis {
  readonly name: keyof TrainSettings & string
  /** As it is typed, without the dashes. */
  readonly flag: string
  readonly values: readonly unknown[]
  /** As they were typed. */
  readonly texts: readonly string[]
}

/** One choice of values, and what it is called. */
export interface Combination {
  readonly settings: Partial<TrainSettings>
  readonly texts: readonly string[]
}

/**
 * Reads `name=a,b`: an option of `graft train` and its values. Values that hold commas themselves
 * stand between bars: `augment=light|strong,flip=0`.
 * @throws UsageError for what train does not take
 */
export function gridAxis(text: string): GridAxis {
  const equals = text.indexOf('=')
  if (equals < 1)
    throw new UsageError(`--grid takes name=a,b, such as lr=1e-4,1e-3, and not ${text}`)
  const flag = text.slice(0, equals).replace(/^--/, '')
  const name = settingNames.find((one) => one === flag || flagName(one) === `--${flag}`)
  if (name === 'seed')
    throw new UsageError('--grid takes no seed: --seeds N trains each choice with N of them')
  if (name === undefined)
    throw new UsageError(
      `--grid takes the options of 'train', and ${flag} is none of those that a run's config keeps`,
    )
  const given = text.slice(equals + 1)
  const texts = given.split(given.includes('|') ? '|' : ',').map((one) => one.trim())
  if (new Set(texts).size < texts.length) throw new UsageError(`--grid ${text} names a value twice`)
  const values = texts.map((one) => readValue(name, flag, one))
  return { name: name as GridAxis['name'], flag, values, texts }
}

function readValue(name: (typeof settingNames)[number], flag: string, text: string): unknown {
  const option = tableOption(name)
  if (name === 'lr' && text === 'find')
    throw new UsageError('--grid lr=find has no value to compare: lr-find suggests some')
  if (!option.required && !option.optional) {
    if (text !== 'true' && text !== 'false')
      throw new UsageError(`--grid ${flag}=${text}: it takes true and false`)
    return text === 'true'
  }
  if (!option.parseArg) return text
  try {
    return option.parseArg(text, undefined as never)
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    throw new UsageError(`--grid ${flag}=${text}: ${error.message}`)
  }
}

/** Every choice of one value of each axis, the last axis changing fastest. */
export function combinations(axes: readonly GridAxis[]): Combination[] {
  const twice = axes.find(({ name }, i) => axes.findIndex((one) => one.name === name) < i)
  if (twice) throw new UsageError(`--grid names ${twice.flag} twice: give all its values at once`)
  return axes.reduce<Combination[]>(
    (before, { name, values, texts }) =>
      before.flatMap((one) =>
        values.map((value, i) => ({
          settings: { ...one.settings, [name]: value },
          texts: [...one.texts, texts[i] ?? ''],
        })),
      ),
    [{ settings: {}, texts: [] }],
  )
}
