import { runCommand } from '../../src/cli/main.ts'
import { onLentDevice } from '../support/lentDevice.ts'
import { cache, type Outcome, outcomeOf, trainingOnce } from './run.ts'

// Each command listens to these, and is the only one of its process as a rule.
for (const emitter of [process, process.stdout, process.stderr]) emitter.setMaxListeners(0)

/**
 * Runs the command in this process, which is several times as fast as in one of its own: it shares
 * a device with its kernels, and loads no sources. What is printed is for the library's own name,
 * `npx graft-webgpu`. One command at a time.
 */
export async function graftHere(
  args: readonly string[],
  { cwd }: { readonly cwd?: string } = {},
): Promise<Outcome> {
  const said = { stdout: '', stderr: '' }
  const restores = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name]
    const { write } = stream
    stream.write = (text: string | Uint8Array, ...rest: unknown[]) => {
      said[name] += typeof text === 'string' ? text : Buffer.from(text).toString()
      for (const done of rest) if (typeof done === 'function') done()
      return true
    }
    return () => {
      stream.write = write
    }
  })
  const [folder, code, place] = [process.cwd(), process.exitCode, process.env.GRAFT_CACHE]
  process.exitCode = undefined
  process.env.GRAFT_CACHE = place || cache
  if (cwd !== undefined) process.chdir(cwd)
  try {
    await onLentDevice(() => runCommand(args))
    return outcomeOf({ ...said, code: Number(process.exitCode ?? 0) })
  } finally {
    process.chdir(folder)
    process.exitCode = code
    if (place === undefined) delete process.env.GRAFT_CACHE
    else process.env.GRAFT_CACHE = place
    for (const restore of restores) restore()
  }
}

export function runHere(...args: readonly string[]): Promise<Outcome> {
  return graftHere(args)
}

/** As `trainOnce`, in this process. */
export function trainOnceHere(
  images: string,
  run: string,
  ...options: readonly string[]
): Promise<Outcome> {
  return graftHere(trainingOnce(images, run, options))
}
