import { defaultOf } from '../train/options/defaults.ts'
import { specs } from '../train/options/table.ts'
import { fieldRule } from './fieldProblems.ts'
import { NumberField, SelectField } from './fields.tsx'
import type { PageOption, Settings } from './settings.ts'

interface OptionFieldProps {
  readonly name: PageOption
  readonly settings: Settings
  readonly onChange: (change: Partial<Settings>) => void
}

/** The field of an option, as the table of options describes it. */
export function OptionField({ name, settings, onChange }: OptionFieldProps) {
  const { field, rule, flag } = specs[name]
  if (!field) return null
  const value = settings[name]
  const onValue = (next: string | number | null) => onChange({ [name]: next })
  const option = flag ? flagName(flag.flags) : undefined
  const choices = field.choices ?? rule?.choices?.map((choice) => [choice, choice] as const)
  if (choices)
    return (
      <SelectField
        label={field.label}
        hint={field.meanings?.[value ?? 'none'] ?? field.hint}
        option={option}
        value={String(value ?? '')}
        onChange={(next) => onValue(next === '' ? null : next)}
        options={choices.map(([choice, text]) => [choice ?? '', text])}
      />
    )
  if (!rule || typeof value === 'string') return null
  const { optimizer } = settings
  return (
    <NumberField
      label={field.label}
      hint={field.hint}
      option={option}
      rule={fieldRule(name, rule)}
      value={value}
      off={field.off}
      placeholder={placeholderOf(name, optimizer)}
      onChange={onValue}
    />
  )
}

/** '--batch-size <n>' as '--batch-size'. */
export const flagName = (flags: string) => flags.split(' ')[0] ?? flags

/** The default that an empty field stands for, if it depends on the optimizer. */
function placeholderOf(name: PageOption, optimizer: Settings['optimizer']): string | undefined {
  return typeof specs[name].default === 'object'
    ? String(defaultOf(name, { optimizer }))
    : undefined
}
