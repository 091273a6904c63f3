import { GraftError } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import { exitCodes, InterruptedError } from './errors.ts'
import { asStarted } from './invocation.ts'
import { asFlag } from './tableOptions.ts'

/** What went wrong, in one line, and the exit code for it. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly exitCode: number
  /** A bug in Graft, not a mistake of the user or the machine. */
  readonly bug: boolean
}

/** The message in one line; options that it names are written as flags, commands as started. */
function textOf(error: unknown): string {
  return asStarted(ownText(error))
}

function ownText(error: unknown): string {
  if (error instanceof GraftError) return error.messageFor(asFlag)
  // The system's errors name paths, in which a line break is a part of the name.
  if (error instanceof Error && 'syscall' in error) return printable(error.message)
  return printable(String(error instanceof Error ? error.message : error).replace(/\n.*/s, ''))
}

/** Distinguishes errors of the user or the machine from bugs in Graft. */
export function describeFailure(error: unknown): Failure {
  const message = textOf(error)
  if (error instanceof InterruptedError)
    return { code: error.code, message, exitCode: error.exitCode, bug: false }
  if (error instanceof GraftError)
    return {
      code: error.code,
      message,
      exitCode: error.code === 'usage' ? exitCodes.usage : exitCodes.failure,
      bug: false,
    }
  // An error of the file system: Node's message names the call and the path.
  if (error instanceof Error && 'syscall' in error)
    return { code: 'system', message, exitCode: exitCodes.failure, bug: false }
  return {
    code: 'bug',
    message: `this is a bug in Graft, please report it: ${message}`,
    exitCode: exitCodes.failure,
    bug: true,
  }
}
