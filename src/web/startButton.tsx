interface StartButtonProps {
  readonly again: boolean
  readonly busy: boolean
  readonly problems: readonly string[]
  /** Whether one of the problems is in a field of the settings. */
  readonly inFields: boolean
  /** Whether the last result has not been saved. */
  readonly unsaved: boolean
  /** Whether the images have changed since the last training. */
  readonly outgrown: boolean
  readonly onStart: () => void
  readonly onShowFields: () => void
}

/** Starts training; while that is not possible, says what is missing. */
export function StartButton(props: StartButtonProps) {
  const { again, busy, problems, inFields, unsaved, outgrown, onStart, onShowFields } = props
  const blocked = problems.length > 0
  const start = () => {
    if (unsaved && !confirm('The trained network has not been saved and will be replaced. Go on?'))
      return
    onStart()
  }
  return (
    <div class="begin">
      <button
        type="button"
        class="main"
        onClick={start}
        disabled={busy || blocked}
        aria-describedby="missing"
      >
        {again ? 'Train again' : 'Train'}
      </button>
      <div id="missing" aria-live="polite" data-testid="missing">
        {!busy && outgrown && (
          <p class="quiet">
            The images have changed: the network learns from them when trained again.
          </p>
        )}
        {!busy && blocked && (
          <>
            <p>Before it can start:</p>
            <ul>
              {problems.map((problem) => (
                <li key={problem}>{problem}</li>
              ))}
            </ul>
          </>
        )}
      </div>
      {!busy && inFields && (
        <button type="button" onClick={onShowFields}>
          Show the settings
        </button>
      )}
    </div>
  )
}
