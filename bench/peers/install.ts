import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'

/**
 * Installs the packages of a folder with a lock file of its own, if that file has changed since.
 * Everything comes from the npm registry.
 * @param what the packages, for the line that is printed
 */
export function installPackages(folder: string, what: string): void {
  const lock = join(folder, 'package-lock.json')
  // The lock file as it was when its packages were installed.
  const installed = join(folder, 'node_modules', '.installed-lock.json')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === readFileSync(lock, 'utf8'))
    return
  console.log(`installing ${what} into ${join(basename(folder), 'node_modules')}`)
  // --ignore-scripts: onnxruntime-node would fetch CUDA libraries from outside the registry.
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  copyFileSync(lock, installed)
}

/** Installs the other libraries into bench/node_modules. */
export function installPeers(): void {
  installPackages(join(import.meta.dirname, '..'), 'tfjs, jax-js and ONNX Runtime')
}

/**
 * Loads one of them. Their types exist only after the installation, so callers declare what they
 * use.
 */
export function loadPeer(name: string): Promise<unknown> {
  return import(name)
}

/**
 * Loads a file of theirs that is an ES module although Node expects CommonJS there; tsx's `require`
 * accepts it.
 */
export function loadPeerFile(path: string): unknown {
  return createRequire(import.meta.url)(path)
}
