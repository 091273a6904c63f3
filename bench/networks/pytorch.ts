import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { lazy } from '../cases/common.ts'
import type { Contestant } from '../contest.ts'
import { convolutions, dense, recipe, type Task } from './plan.ts'

/** Debian installs python3-torch for this interpreter; GRAFT_PYTHON names another one. */
const python = process.env.GRAFT_PYTHON ?? '/usr/bin/python3'

/** Whether the machine's Python has PyTorch. */
export const canRunPytorch = lazy(
  () => spawnSync(python, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0,
)

/**
 * A step in PyTorch with one thread for each processor, in another process that waits between its
 * turns.
 */
export async function pytorchStep(task: Task): Promise<Contestant> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-bench-'))
  await writeTask(folder, task)
  // Otherwise idle OpenMP threads would spin for a while on the next competitor's processors.
  const env = { ...process.env, OMP_WAIT_POLICY: 'passive' }
  const child = spawn(
    python,
    [join(import.meta.dirname, '..', 'pytorch.py'), folder, `${availableParallelism()}`],
    { env, stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error('PyTorch ended before it answered')
    return JSON.parse(value) as { readonly values: readonly number[]; readonly ms: number }
  }
  return {
    async time() {
      child.stdin.write('step\n')
      return (await answer()).ms
    },
    async values() {
      return Float32Array.from((await answer()).values)
    },
    async dispose() {
      child.stdin.end()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function writeTask(
  folder: string,
  { plan, training, weights, images, targets }: Task,
): Promise<void> {
  const arrays: Record<string, { readonly shape: readonly number[]; readonly start: number }> = {}
  let start = 0
  const file = await open(join(folder, 'arrays.bin'), 'w')
  try {
    for (const [name, { shape, data }] of [
      ...Object.entries(weights),
      ['images', images] as const,
    ]) {
      arrays[name] = { shape, start }
      start += data.length
      await file.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    }
  } finally {
    await file.close()
  }
  const task = { plan, training, recipe, convolutions, dense, targets: [...targets], arrays }
  await writeFile(join(folder, 'task.json'), JSON.stringify(task))
}
