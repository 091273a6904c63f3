import type { EventEmitter } from 'node:events'
import { vi } from 'vitest'
import { runCommand } from '../../src/cli/main.ts'

const watched: readonly { readonly on: EventEmitter; readonly event: string }[] = [
  { on: process, event: 'uncaughtException' },
  { on: process.stdout, event: 'error' },
  { on: process.stderr, event: 'error' },
]

/** Runs the command in this process, which is much faster than in one of its own. */
export async function runHere(
  ...args: readonly string[]
): Promise<{ readonly stdout: string; readonly stderr: string; readonly code: number }> {
  let [stdout, stderr] = ['', '']
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text
    return true
  })
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text
    return true
  })
  const before = process.exitCode
  const listeners = watched.map(({ on, event }) => on.listeners(event))
  process.exitCode = undefined
  try {
    await runCommand(args)
    return { stdout, stderr, code: Number(process.exitCode ?? 0) }
  } finally {
    process.exitCode = before
    out.mockRestore()
    err.mockRestore()
    // The command listens as long as its process lives. Here that would be for all tests of this
    // worker, and Node warns on the error stream of more than ten listeners.
    for (const [i, { on, event }] of watched.entries())
      for (const listener of on.listeners(event))
        if (!listeners[i]?.includes(listener)) on.off(event, listener as () => void)
  }
}
