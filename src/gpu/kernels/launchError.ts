import { KernelError } from '../../base/errors.ts'

/** A kernel that was launched, and for which layer. */
export interface Launch {
  readonly kernel: string
  readonly layer: string | null
}

/**
 * The error for a message of the device. Dawn's quote the labels of what they complain about: the
 * newest launch whose kernel is named is the one.
 */
export function launchError(message: string, launches: readonly Launch[]): KernelError {
  const line = message.split('\n')[0] ?? message
  const launch =
    launches.findLast(({ kernel }) => message.includes(`"${kernel}`)) ?? launches.at(-1)
  return new KernelError(launch?.kernel ?? 'unknown', launch?.layer ?? null, line)
}
