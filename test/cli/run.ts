import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ImageDataset } from '../../src/data/dataset.ts'

const bin = fileURLToPath(new URL('../../bin/graft.js', import.meta.url))

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** What Graft itself said on the error stream, without the driver's own remarks. */
  readonly complaints: readonly string[]
  /** Standard output as JSON, a line each; for --json. */
  events(): Record<string, unknown>[]
}

/** Runs the command as a user does, in a process of its own. `onStdout` sees what is printed so far, and may send signals. */
export function graft(
  args: readonly string[],
  options: { readonly cwd?: string; readonly onStdout?: (text: string, kill: (signal: NodeJS.Signals) => void) => void } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], { cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk) => {
      stdout += chunk
      options.onStdout?.(stdout, (signal) => child.kill(signal))
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => {
      const complaints = stderr.split('\n').filter((line) => line.startsWith('graft:'))
      const events = () =>
        stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Record<string, unknown>)
      resolve({ code, stdout, stderr, complaints, events })
    })
  })
}

/** Writes a dataset of encoded pictures as train/<class>/* and val/<class>/*. */
export async function writeDataset(folder: string, data: ImageDataset): Promise<void> {
  for (const sample of [...data.train, ...data.val]) {
    const path = join(folder, sample.name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, sample.source)
  }
}
