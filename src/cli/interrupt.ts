import { exitCodes, InterruptedError } from './errors.ts'

type Cause = 'SIGINT' | 'SIGTERM' | 'SIGPIPE'
const codes: Readonly<Record<Cause, number>> = {
  SIGINT: exitCodes.interrupted,
  SIGTERM: 143,
  SIGPIPE: exitCodes.pipe,
}

/**
 * npm passes on the Ctrl-C that its child has had from the terminal already: two of one key press
 * come within this many milliseconds.
 */
const samePress = 400

/**
 * What a command does when it is asked to stop; null while it would lose nothing by stopping at
 * once.
 */
let current: Stop | null = null

/** One piece of work that can stop in good order. */
export class Stop {
  readonly #controller = new AbortController()
  readonly #onFirst: () => void
  #cause: Cause = 'SIGINT'
  #at = 0

  /** @param onFirst tells the user that the first Ctrl-C was heard */
  constructor(onFirst: () => void) {
    this.#onFirst = onFirst
    current = this
    process.on('SIGINT', onSigint)
    process.on('SIGTERM', onSigterm)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The error to end with after stopping. */
  error(message: string, { hasResult = false } = {}): InterruptedError {
    return new InterruptedError(message, codes[this.#cause], hasResult)
  }

  /** The first time, asks the work to stop; the second, ends the process. */
  ask(cause: Cause): void {
    const now = performance.now()
    if (this.signal.aborted) {
      if (now - this.#at > samePress) process.exit(codes[cause])
      return
    }
    this.#cause = cause
    this.#at = now
    if (cause !== 'SIGPIPE') this.#onFirst()
    this.#controller.abort()
  }

  /** Signals end the process again. */
  done(): void {
    if (current === this) current = null
    process.off('SIGINT', onSigint)
    process.off('SIGTERM', onSigterm)
  }
}

const onSigint = () => stopFor('SIGINT')
const onSigterm = () => stopFor('SIGTERM')

/**
 * Stops the work in progress, or the process where there is none. A reader that has seen enough is
 * then no failure.
 */
export function stopFor(cause: Cause): void {
  if (current) current.ask(cause)
  else process.exit(cause === 'SIGPIPE' ? 0 : codes[cause])
}

/** Resolves when a person presses Ctrl-C, or the process is told to end. */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}
