import type { ComponentChildren } from 'preact'
import { useEffect, useId, useState } from 'preact/hooks'
import type { Rule } from '../base/rule.ts'
import { readNumber, useFieldProblem } from './fieldProblems.ts'

interface FieldProps {
  readonly label: string
  /** Its meaning, in a few words. */
  readonly hint?: string | undefined
  /** What the command line calls it, for those who go on there. */
  readonly option?: string | undefined
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
 * A number. A text that cannot be used stays in the field with what is wrong with it, and training
 * does not start until it is mended.
 */
export function NumberField({
  label,
  hint,
  option,
  rule,
  value,
  onChange,
  off,
  placeholder,
}: NumberFieldProps) {
  const id = useId()
  const [draft, setDraft] = useState<string | null>(null)
  const options = { off, mayBeEmpty: placeholder !== undefined }
  const read = draft === null ? null : readNumber(draft, rule, options)
  const problem = read && 'problem' in read ? read.problem : null
  useFieldProblem(id, label, problem)
  // A value from elsewhere, such as a learning rate that was found, replaces the text.
  useEffect(() => {
    if (!read || 'problem' in read || read.value !== value) setDraft(null)
  }, [value])
  const onInput = (text: string) => {
    setDraft(text)
    const typed = readNumber(text, rule, options)
    if ('value' in typed && typed.value !== value) onChange(typed.value)
  }
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        inputMode={rule.bounds?.integer ? 'numeric' : 'decimal'}
        autoComplete="off"
        placeholder={placeholder}
        aria-invalid={problem !== null}
        aria-describedby={`${problem ? `${id}-problem ` : ''}${id}-hint`}
        value={draft ?? value ?? off ?? ''}
        onInput={({ currentTarget }) => onInput(currentTarget.value)}
      />
      <FieldNote id={id} problem={problem} />
      <Hint id={id} text={hint} option={option} />
    </div>
  )
}

/** What is wrong with a field, read aloud as it appears. */
function FieldNote({ id, problem }: { readonly id: string; readonly problem: string | null }) {
  return (
    <p class="field-problem" id={`${id}-problem`} aria-live="polite">
      {problem}
    </p>
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
export function TextField({ label, hint, option, value, placeholder, onChange }: TextFieldProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        placeholder={placeholder}
        aria-describedby={`${id}-hint`}
        value={value ?? ''}
        onChange={({ currentTarget }) => onChange(currentTarget.value.trim() || null)}
      />
      <Hint id={id} text={hint} option={option} />
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
  option,
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
        aria-describedby={`${id}-hint`}
        value={value}
        onChange={({ currentTarget }) => onChange(currentTarget.value as T)}
      >
        {options.map(([option, text]) => (
          <option key={option} value={option} selected={option === value}>
            {text}
          </option>
        ))}
      </select>
      <Hint id={id} text={hint} option={option} />
    </div>
  )
}

/** The meaning of a field, and its name on the command line in small print. */
function Hint({
  id,
  text,
  option,
}: {
  readonly id: string
  readonly text: string | undefined
  readonly option: string | undefined
}) {
  return (
    <p class="hint" id={`${id}-hint`}>
      {text} {option && <code>{option}</code>}
    </p>
  )
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
  /** Whether several files can be chosen at once. */
  readonly multiple?: boolean
  readonly main?: boolean
}

/** A file input that looks like a button, and still works by keyboard and with screen readers. */
export function FileButton({
  children,
  onFiles,
  accept,
  folder = false,
  multiple = false,
  main = false,
}: FileButtonProps) {
  return (
    <label class={main ? 'button main' : 'button'}>
      {children}
      <input
        type="file"
        class="unseen"
        accept={accept}
        multiple={multiple}
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
