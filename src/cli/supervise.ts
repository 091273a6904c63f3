import { type ChildProcess, fork } from 'node:child_process'
import { GraftError } from '../base/errors.ts'

/** Set in the environment of the process that does the work. */
const mark = 'GRAFT_SUPERVISED'
/** What kills a process other than a person: no memory is left, or native code has gone wrong. */
const deaths = ['SIGKILL', 'SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE'] as const
/** So many in a row that have died before they were ready are enough. */
const mostInARow = 5

/** Whether this process was started by `supervise`. It ends when that one has. */
export function isSupervised(): boolean {
  if (process.env[mark] !== '1' || !process.connected) return false
  process.once('disconnect', () => process.exit(1))
  process.channel?.unref()
  return true
}

/** Tells the process that supervises this one that it works: what kills it now is its work. */
export function tellReady(): void {
  process.send?.('ready')
}

/**
 * Runs this command in a process of its own, and once more whenever that one dies without having
 * ended. Its exit code becomes this one's.
 * @param onDeath called with a sentence before another one is started
 * @param pause milliseconds before that
 * @throws GraftError with code `worker` if it dies before it is ready, again and again
 */
export async function supervise(onDeath: (text: string) => void, pause = 1000): Promise<void> {
  let child: ChildProcess | null = null
  // A terminal sends Ctrl-C to both, `kill` a signal to this one alone.
  const pass = (signal: NodeJS.Signals) => child?.kill(signal)
  const ignore = () => {}
  process.on('SIGINT', ignore)
  process.on('SIGTERM', pass)
  process.on('SIGHUP', pass)
  try {
    for (let inARow = 0; ; ) {
      let ready = false
      child = fork(process.argv[1] ?? '', process.argv.slice(2), {
        env: { ...process.env, [mark]: '1' },
      })
      child.once('message', () => {
        ready = true
      })
      const { code, signal } = await ended(child)
      if (code !== null || signal === null || !deaths.some((one) => one === signal)) {
        process.exitCode = code ?? 1
        return
      }
      inARow = ready ? 0 : inARow + 1
      if (inARow === mostInARow)
        throw new GraftError('worker', `the worker's process dies as soon as it starts (${signal})`)
      onDeath(
        `the worker's process has died (${signal}; the system does that when no memory is left): ` +
          'another one goes on',
      )
      await new Promise((resolve) => setTimeout(resolve, pause))
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
