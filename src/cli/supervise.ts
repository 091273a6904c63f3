import { type ChildProcess, fork } from 'node:child_process'
import { GraftError } from '../base/errors.ts'

/** Set in the environment of the process that does the work. */
const mark = 'GRAFT_SUPERVISED'
/** What kills a process other than a person: no memory is left, or native code has gone wrong. */
const deaths = ['SIGKILL', 'SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE'] as const
/** A process that dies within so many milliseconds has hardly begun. */
const hardlyBegun = 10_000
/** So many in a row that have hardly begun are enough. */
const mostInARow = 5

/** Whether this process was started by `supervise`. It ends when that one has. */
export function isSupervised(): boolean {
  if (process.env[mark] !== '1' || !process.connected) return false
  process.once('disconnect', () => process.exit(1))
  process.channel?.unref()
  return true
}

/**
 * Runs this command in a process of its own, and once more whenever that one dies without having
 * ended. Its exit code becomes this one's.
 * @param onDeath called with a sentence before another one is started
 * @throws GraftError with code `worker` if it dies as soon as it starts, again and again
 */
export async function supervise(onDeath: (text: string) => void): Promise<void> {
  let child: ChildProcess | null = null
  // A terminal sends Ctrl-C to both, `kill` a signal to this one alone.
  const pass = (signal: NodeJS.Signals) => child?.kill(signal)
  const ignore = () => {}
  process.on('SIGINT', ignore)
  process.on('SIGTERM', pass)
  process.on('SIGHUP', pass)
  try {
    for (let inARow = 0; ; ) {
      const began = performance.now()
      child = fork(process.argv[1] ?? '', process.argv.slice(2), {
        env: { ...process.env, [mark]: '1' },
      })
      const { code, signal } = await ended(child)
      if (code !== null || signal === null || !deaths.some((one) => one === signal)) {
        process.exitCode = code ?? 1
        return
      }
      inARow = performance.now() - began < hardlyBegun ? inARow + 1 : 0
      if (inARow === mostInARow)
        throw new GraftError('worker', `the worker's process dies as soon as it starts (${signal})`)
      onDeath(
        `the worker's process has died (${signal}; the system does that when no memory is left): ` +
          'another one goes on',
      )
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  } finally {
    process.off('SIGINT', ignore)
    process.off('SIGTERM', pass)
    process.off('SIGHUP', pass)
  }
}

function ended(
  child: ChildProcess,
): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
}
