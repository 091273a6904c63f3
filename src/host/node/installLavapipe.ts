import { execFile, spawn } from 'node:child_process'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { UsageError } from '../../base/errors.ts'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import { type AptSource, backportsSource, parseAptSources } from './aptSources.ts'

const folder = '/etc/apt/sources.list.d'
const backports = join(folder, 'graft-backports.sources')
/** Dawn refuses older versions: they lack dynamic indexing of arrays of resources. */
const wantedMesa = 23.2

/**
 * Installs Mesa's CPU driver on Debian or Ubuntu, from backports if the release's own Mesa is too
 * old for Dawn.
 * @param log is called with each line of the progress
 * @throws UsageError on another system, or without root's rights
 * @throws Error if apt fails; then no source of packages was added
 */
export async function installLavapipe(log: (line: string) => void): Promise<void> {
  if (process.platform !== 'linux')
    throw new UsageError(
      `lavapipe is installed by apt on Debian and Ubuntu; this is ${process.platform}`,
    )
  const codename = /^VERSION_CODENAME="?([^"\n]+)/m.exec(
    await readFile('/etc/os-release', 'utf8').catch(() => ''),
  )?.[1]
  const apt = await run('apt-get', ['--version']).then(
    () => true,
    () => false,
  )
  if (!apt || !codename)
    throw new UsageError(
      'lavapipe is installed by apt on Debian and Ubuntu, and there is no apt here; ' +
        'use your own package manager (Mesa 23.2 or newer)',
    )
  if (process.getuid?.() !== 0)
    throw new UsageError(
      "installing a driver needs root: run 'sudo npx graft-webgpu adapters --install-lavapipe'",
    )
  await aptGet(['update', '-qq'], log)
  const candidate = await candidateVersion()
  if (candidate >= wantedMesa) {
    log(`installing Mesa ${candidate} on ${codename}`)
    return aptGet(['install', '-y', '-qq', ...packages], log)
  }
  log(
    `the Mesa of ${codename} is ${candidate || 'missing'}, ` +
      `and Dawn needs ${wantedMesa} or newer; ` +
      `installing from ${codename}-backports`,
  )
  const added = await addBackports(codename)
  try {
    if (added) await aptGet(['update', '-qq'], log)
    await aptGet(['install', '-y', '-qq', '-t', `${codename}-backports`, ...packages], log)
  } catch (error) {
    if (added) await rm(backports, { force: true })
    throw error
  }
}

const packages = ['mesa-vulkan-drivers', 'libvulkan1']

const run = promisify(execFile)

/** The Mesa that apt would install without backports, as a number: 22.3; 0 if it knows none. */
async function candidateVersion(): Promise<number> {
  const { stdout } = await run('apt-cache', ['policy', 'mesa-vulkan-drivers'], {
    env: { ...process.env, LC_ALL: 'C' },
  })
  return Number(/Candidate:\s*(?:\d+:)?(\d+\.\d+)/.exec(stdout)?.[1] ?? 0)
}

async function readSources(): Promise<AptSource[]> {
  const names = (await readdir(folder).catch(() => []))
    .filter((name) => /\.(sources|list)$/.test(name))
    .sort()
  const texts = [...names.map((name) => join(folder, name)), '/etc/apt/sources.list'].map((path) =>
    readFile(path, 'utf8').catch(() => ''),
  )
  return (await Promise.all(texts)).flatMap(parseAptSources)
}

/**
 * Adds the release's backports to apt's sources, from the mirror that the machine already uses.
 * @returns false if they were there already
 */
async function addBackports(codename: string): Promise<boolean> {
  const sources = await readSources()
  if (sources.some(({ suites }) => suites.includes(`${codename}-backports`))) return false
  const text = backportsSource(sources, codename)
  if (!text)
    throw new UsageError(
      `${folder} names no mirror of ${codename}: add ${codename}-backports by hand`,
    )
  await writeFileAtomic(backports, text)
  return true
}

/**
 * Runs apt-get. It waits for another apt to end instead of failing on its lock, and prints no
 * progress bars.
 */
function aptGet(args: readonly string[], log: (line: string) => void): Promise<void> {
  return stream('apt-get', ['-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Use-Pty=0', ...args], log)
}

/** Runs a command and logs what it prints, line by line. */
function stream(
  command: string,
  args: readonly string[],
  log: (line: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const output of [child.stdout, child.stderr])
      createInterface({ input: output }).on('line', log)
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0
        ? resolve()
        : reject(new Error(`${command} ${args.join(' ')} ended with exit code ${code}`)),
    )
  })
}
