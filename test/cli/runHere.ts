import { vi } from 'vitest'
import { runCommand } from '../../src/cli/main.ts'

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
  process.exitCode = undefined
  try {
    await runCommand(args)
    return { stdout, stderr, code: Number(process.exitCode ?? 0) }
  } finally {
    process.exitCode = before
    out.mockRestore()
    err.mockRestore()
  }
}
