interface SliderProps {
  readonly label: string
  readonly min: number
  readonly max: number
  readonly step?: number
  readonly value: number
  /** The value as it is shown and read aloud. */
  readonly text: string
  readonly onValue: (value: number) => void
}

/** A labeled range, with its value beside it. */
export function Slider({ label, min, max, step = 1, value, text, onValue }: SliderProps) {
  return (
    <p class="slider">
      <label>
        <span class="slider-label">{label}</span>{' '}
        <input
          type="range"
          min={min}
          max={max}
          step={step}
          value={value}
          aria-valuetext={text}
          onInput={(event) => onValue(Number(event.currentTarget.value))}
        />
      </label>{' '}
      <output>{text}</output>
    </p>
  )
}
