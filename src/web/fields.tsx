import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import type { Rule } from '../base/rule.ts'

interface FieldProps {
  readonly label: string
  /** Its meaning, in a few words. */
  readonly hint?: string | undefined
}

interface NumberFieldProps extends FieldProps {
  /** Which numbers are allowed. */
  readonly rule: Rule
  /** Null if it is left to the library. */
  readonly value: number | null
  readonly onChange: (value: number | null) => void
  /** A number that stands for null; the rule need not allow it. */
  readonly off?: number | undefined
  /** The value that an empty field stands for; without it the field has to be filled in. */
  readonly placeholder?: string | undefined
}

/**
 * A number. If it breaks the rule, the browser marks it and says what is allowed, and the settings
 * keep the number before.
 */
export function NumberField({
  label,
  hint,
  rule,
  value,
  onChange,
  off,
  placeholder,
}: NumberFieldProps) {
  const id = useId()
  const { integer, min, max } = rule.bounds ?? {}
  const onInput = (input: HTMLInputElement) => {
    const number = input.value === '' ? null : input.valueAsNumber
    const fits = number === null || number === off || rule.fits(number)
    input.setCustomValidity(fits ? '' : `It has to be ${rule.words}.`)
    if (input.checkValidity()) onChange(number === off ? null : number)
  }
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="number"
        min={off ?? min}
        max={max}
        step={integer ? 1 : 'any'}
        placeholder={placeholder}
        required={placeholder === undefined}
        aria-describedby={hint ? `${id}-hint` : undefined}
        value={value ?? off ?? ''}
        onInput={({ currentTarget }) => onInput(currentTarget)}
        onBlur={({ currentTarget }) => {
          if (!currentTarget.checkValidity()) currentTarget.reportValidity()
        }}
      />
      <Hint id={id} text={hint} />
    </div>
  )
}

interface TextFieldProps extends FieldProps {
  /** Null where nothing is given. */
  readonly value: string | null
  readonly onChange: (value: string | null) => void
  /** What an empty field stands for. */
  readonly placeholder: string
}

/** A text, told once it is complete. */
export function TextField({ label, hint, value, placeholder, onChange }: TextFieldProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        placeholder={placeholder}
        aria-describedby={hint ? `${id}-hint` : undefined}
        value={value ?? ''}
        onChange={({ currentTarget }) => onChange(currentTarget.value.trim() || null)}
      />
      <Hint id={id} text={hint} />
    </div>
  )
}

interface SelectFieldProps<T extends string> extends FieldProps {
  readonly value: T
  readonly onChange: (value: T) => void
  readonly options: readonly (readonly [value: T, text: string])[]
}

/** One of a few choices. */
export function SelectField<T extends string>({
  label,
  hint,
  value,
  onChange,
  options,
}: SelectFieldProps<T>) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        aria-describedby={hint ? `${id}-hint` : undefined}
        value={value}
        onChange={({ currentTarget }) => onChange(currentTarget.value as T)}
      >
        {options.map(([option, text]) => (
          <option key={option} value={option} selected={option === value}>
            {text}
          </option>
        ))}
      </select>
      <Hint id={id} text={hint} />
    </div>
  )
}

function Hint({ id, text }: { readonly id: string; readonly text: string | undefined }) {
  return text ? (
    <p class="hint" id={`${id}-hint`}>
      {text}
    </p>
  ) : null
}

interface RadioFieldProps<T extends string> {
  readonly legend: string
  readonly value: T
  readonly onChange: (value: T) => void
  readonly options: readonly { readonly value: T; readonly name: string; readonly text: string }[]
}

/** One of a few choices, each with a sentence of its own. */
export function RadioField<T extends string>({
  legend,
  value,
  onChange,
  options,
}: RadioFieldProps<T>) {
  const name = useId()
  return (
    <fieldset class="radios">
      <legend>{legend}</legend>
      {options.map((option) => (
        <label key={option.value} class="radio">
          <input
            type="radio"
            name={name}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          <span>
            <strong>{option.name}</strong> <span class="quiet">{option.text}</span>
          </span>
        </label>
      ))}
    </fieldset>
  )
}

interface FileButtonProps {
  readonly children: ComponentChildren
  readonly onFiles: (event: Event & { readonly currentTarget: HTMLInputElement }) => void
  readonly accept?: string
  readonly folder?: boolean
  readonly main?: boolean
}

/** A file input that looks like a button, and still works by keyboard and with screen readers. */
export function FileButton({
  children,
  onFiles,
  accept,
  folder = false,
  main = false,
}: FileButtonProps) {
  return (
    <label class={main ? 'button main' : 'button'}>
      {children}
      <input
        type="file"
        class="unseen"
        accept={accept}
        {...(folder ? { webkitdirectory: true } : {})}
        onChange={(event) => {
          onFiles(event)
          // So that the same file can be chosen again.
          event.currentTarget.value = ''
        }}
      />
    </label>
  )
}

/** An error, in one line. */
export function Problem({ children }: { readonly children: ComponentChildren }) {
  return (
    <p class="problem" role="alert">
      {children}
    </p>
  )
}
