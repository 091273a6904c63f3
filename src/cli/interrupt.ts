import { exitCodes, InterruptedError } from './errors.ts'

type Cause = 'SIGINT' | 'SIGTERM' | 'SIGPIPE'
const codes: Readonly<Record<Cause, number>> = {
  SIGINT: exitCodes.interrupted,
  SIGTERM: 143,
  SIGPIPE: exitCodes.pipe,
}

/**
 * One press of Ctrl-C can arrive twice, from the terminal and from npm, within this many
 * milliseconds.
 */
const samePress = 400

/** The work that has to stop in order; null while the process may end at once. */
let current: Stop | null = null

/** Work that stops in order when a signal arrives. */
export class Stop {
  readonly #controller = new AbortController()
  readonly #onFirst: () => void
  #cause: Cause = 'SIGINT'
  #at = 0

  /** @param onFirst tells the user that the work is stopping */
  constructor(onFirst: () => void) {
    this.#onFirst = onFirst
    current = this
    process.on('SIGINT', onSigint)
    process.on('SIGTERM', onSigterm)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The error to throw after stopping. */
  error(message: string, { hasResult = false } = {}): InterruptedError {
    return new InterruptedError(message, codes[this.#cause], hasResult)
  }

  /** Asks the work to stop; the second time, ends the process. */
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

  /** From now on signals end the process again. */
  done(): void {
    if (current === this) current = null
    process.off('SIGINT', onSigint)
    process.off('SIGTERM', onSigterm)
  }
}

const onSigint = () => stopFor('SIGINT')
const onSigterm = () => stopFor('SIGTERM')

/**
 * Stops the work in progress, or the process where there is none; a closed pipe is then no failure.
 */
export function stopFor(cause: Cause): void {
  if (current) current.ask(cause)
  else process.exit(cause === 'SIGPIPE' ? 0 : codes[cause])
}

/** Resolves at Ctrl-C or SIGTERM. */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}
