import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

interface FieldProps {
  readonly label: string
  /** What it means, in a few words. */
  readonly hint?: string
}

interface NumberFieldProps extends FieldProps {
  /** Null where it is left to the library. */
  readonly value: number | null
  readonly onChange: (value: number | null) => void
  readonly min: number
  readonly max?: number
  readonly step?: number | 'any'
  /** What an empty field stands for; without it the field has to be filled in. */
  readonly placeholder?: string
}

/**
 * A number; one that does not fit is marked and said so by the browser, and kept out of the
 * settings.
 */
export function NumberField({
  label,
  hint,
  value,
  onChange,
  min,
  max,
  step = 1,
  placeholder,
}: NumberFieldProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        {...{
          id,
          type: 'number',
          min,
          max,
          step,
          placeholder,
          required: placeholder === undefined,
        }}
        aria-describedby={hint ? `${id}-hint` : undefined}
        value={value ?? ''}
        onInput={({ currentTarget }) => {
          if (currentTarget.checkValidity())
            onChange(currentTarget.value === '' ? null : currentTarget.valueAsNumber)
        }}
        onBlur={({ currentTarget }) => {
          if (!currentTarget.checkValidity()) currentTarget.reportValidity()
        }}
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

/** One of a few. */
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

/** One of a few that want a sentence each. */
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

/** A file input that looks like a button and stays one for the keyboard and for screen readers. */
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
          // The same file again is a choice too.
          event.currentTarget.value = ''
        }}
      />
    </label>
  )
}

/** Something that went wrong, in one line. */
export function Problem({ children }: { readonly children: ComponentChildren }) {
  return (
    <p class="problem" role="alert">
      {children}
    </p>
  )
}
