import { readFileSync, writeFileSync } from 'node:fs'

/** The peak of resident memory since it was reset, or what is resident now, in MB. */
function resident(which: 'VmHWM' | 'VmRSS'): number {
  const [, kibibytes = '0'] =
    new RegExp(`${which}:\\s*(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return (Number(kibibytes) * 1024) / 1e6
}

/**
 * Runs an action and measures it. Time is the processor's, of all threads, so that whoever else is
 * at work on the machine does not count. Linux only: the process' peak memory is reset before, by
 * /proc/self/clear_refs.
 * @returns what it gives, its seconds, and by how many MB the process grew at its peak
 */
export async function measured<T>(action: () => Promise<T>) {
  globalThis.gc?.()
  writeFileSync('/proc/self/clear_refs', '5')
  const before = resident('VmRSS')
  const started = process.cpuUsage()
  const outcome = await action()
  const { user, system } = process.cpuUsage(started)
  return { outcome, seconds: (user + system) / 1e6, megabytes: resident('VmHWM') - before }
}
