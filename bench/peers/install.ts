import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '..')

/** Installs what Graft is compared with into bench/node_modules, once. Nothing is downloaded but from the npm registry. */
export function installPeers(): void {
  if (existsSync(join(folder, 'node_modules', '.package-lock.json'))) return
  console.log('installing tfjs, jax-js and onnxruntime into bench/node_modules')
  // --ignore-scripts: onnxruntime-node would fetch CUDA libraries from outside the registry.
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
}

/** Loads one of them. Their types need their installation, so that callers say what they use of each. */
export function loadPeer(name: string): Promise<unknown> {
  return import(name)
}
