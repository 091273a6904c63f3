import { spawnSync } from 'node:child_process'

/**
 * A Python that has PyTorch (Debian: python3-torch), or null; GRAFT_PYTHON names another than those
 * on the path.
 */
export const pytorch: string | null = findPython()

function findPython(): string | null {
  const places = [process.env.GRAFT_PYTHON, '/usr/bin/python3', 'python3'].filter(
    (place) => place !== undefined,
  )
  return places.find((python) => spawnSync(python, ['-c', 'import torch']).status === 0) ?? null
}

/**
 * Runs a Python script with PyTorch.
 * @param args what the script finds in sys.argv
 * @returns what it prints
 */
export function runPyTorch(script: string, ...args: string[]): string {
  if (!pytorch) throw new Error('no Python with PyTorch was found')
  const { status, stdout, stderr } = spawnSync(pytorch, ['-c', script, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (status !== 0) throw new Error(`python ended with ${status}: ${stderr}`)
  return stdout
}
