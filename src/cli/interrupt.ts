import { exitCodes, InterruptedError } from './errors.ts'

/**
 * What asks a process to end: Ctrl-C, `kill`, and a terminal that is closed. Windows sends the
 * first, and the last about ten seconds before it ends the process whatever happens; its `kill`
 * ends a process at once.
 */
const signals = { SIGINT: exitCodes.interrupted, SIGTERM: 143, SIGHUP: 129 } as const
type Signal = keyof typeof signals
const names = Object.keys(signals) as Signal[]

/**
 * One request can arrive twice within this many milliseconds: Ctrl-C from the terminal and from
 * npm, the end of a terminal from the system and from the shell.
 */
const sameRequest = 250

/** The work that has to stop in order; null while the process may end at once. */
let current: Stop | null = null

/** Work that stops in order when a signal arrives. */
export class Stop {
  readonly #controller = new AbortController()
  readonly #onFirst: () => void
  #exitCode: number = exitCodes.interrupted

  /** @param onFirst tells the user that the work is stopping */
  constructor(onFirst: () => void) {
    this.#onFirst = onFirst
    current = this
    for (const name of names) process.on(name, this.#onSignal)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The error to throw after stopping. */
  error(message: string, { hasResult = false } = {}): InterruptedError {
    return new InterruptedError(message, this.#exitCode, hasResult)
  }

  /** Asks the work to stop because the reader of standard output has gone. */
  pipeClosed(): void {
    this.#abort(exitCodes.pipe)
  }

  /** The work has ended: from now on signals end the process again, and so does a closed pipe. */
  done(): void {
    if (current === this) current = null
    this.#ignore()
  }

  #ignore(): void {
    for (const name of names) process.off(name, this.#onSignal)
  }

  /**
   * The first signal asks the work to stop. Then no handler is left: the system itself ends the
   * process at the second one, also while a file cannot be opened or the event loop is busy. For
   * the same reason it is not a timer that lets the second signal of one request pass.
   */
  readonly #onSignal = (name: Signal) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, sameRequest)
    this.#ignore()
    this.#onFirst()
    this.#abort(signals[name])
  }

  #abort(exitCode: number): void {
    if (this.signal.aborted) return
    this.#exitCode = exitCode
    this.#controller.abort()
  }
}

/**
 * Stops the work in progress, or the process where there is none, when the reader of standard
 * output has gone. That is no failure: nothing is said, and the exit code is a shell's for SIGPIPE.
 */
export function stopForPipe(): void {
  if (current) current.pipeClosed()
  else process.exit(exitCodes.pipe)
}

/** Resolves at the first signal; a second one ends the process. */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    const stop = new Stop(() => {})
    stop.signal.addEventListener('abort', () => resolve())
  })
}
