import { KernelError } from '../../base/errors.ts'

/** A kernel that was launched, and the layer it was launched for. */
export interface Launch {
  readonly kernel: string
  readonly layer: string | null
}

/**
 * The error for a message of the device. Dawn quotes the label of what is wrong, so it is blamed on
 * the newest launch whose kernel the message names, else on the newest of all.
 */
export function launchError(message: string, launches: readonly Launch[]): KernelError {
  const line = message.split('\n')[0] ?? message
  const launch =
    launches.findLast(({ kernel }) => message.includes(`"${kernel}`)) ?? launches.at(-1)
  return new KernelError(launch?.kernel ?? 'unknown', launch?.layer ?? null, line)
}
