import { GraftError } from '../base/errors.ts'

/**
 * The exit codes of every command; `interrupted` and `pipe` are what a shell reports for SIGINT and
 * SIGPIPE.
 */
export const exitCodes = { failure: 1, usage: 2, interrupted: 130, pipe: 141 } as const

/** A command was stopped by a signal. */
export class InterruptedError extends GraftError {
  readonly exitCode: number
  /** Whether a result was printed before. */
  readonly hasResult: boolean

  constructor(message: string, exitCode: number, hasResult: boolean) {
    super('interrupted', message)
    this.exitCode = exitCode
    this.hasResult = hasResult
  }
}
