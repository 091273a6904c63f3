import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '..')
const lock = join(folder, 'package-lock.json')
/** The lock file as it was when its packages were installed. */
const installed = join(folder, 'node_modules', '.installed-lock.json')

/**
 * Installs what Graft is compared with into bench/node_modules, whenever its lock file has changed,
 * and from the npm registry alone.
 */
export function installPeers(): void {
  if (existsSync(installed) && readFileSync(installed, 'utf8') === readFileSync(lock, 'utf8'))
    return
  console.log('installing tfjs, jax-js and ONNX Runtime into bench/node_modules')
  // --ignore-scripts: onnxruntime-node would fetch CUDA libraries from outside the registry.
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  copyFileSync(lock, installed)
}

/**
 * Loads one of them. Their types need their installation, so that callers say what they use of
 * each.
 */
export function loadPeer(name: string): Promise<unknown> {
  return import(name)
}

/**
 * Loads a file of theirs that is written as an ES module and lies where Node expects CommonJS;
 * tsx's `require` takes it.
 */
export function loadPeerFile(path: string): unknown {
  return createRequire(import.meta.url)(path)
}
