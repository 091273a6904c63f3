import { execFile, spawn } from 'node:child_process'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { UsageError } from '../errors.ts'

const sources = '/etc/apt/sources.list.d'
const backports = join(sources, 'graft-backports.sources')
/** Dawn refuses older ones: they lack dynamic indexing of arrays of resources. */
const wantedMesa = 23.2

/**
 * Installs Mesa's CPU driver on Debian or Ubuntu, from backports where the release's own Mesa is too old for Dawn.
 * @param log gets a line at a time of what is done
 * @throws UsageError when this is no Debian, or not root; Error when apt fails
 */
export async function installLavapipe(log: (line: string) => void): Promise<void> {
  if (process.platform !== 'linux') throw new UsageError(`lavapipe is installed by apt on Debian and Ubuntu; this is ${process.platform}`)
  const codename = /^VERSION_CODENAME=(.+)$/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1]
  const apt = await run('apt-get', ['--version']).then(
    () => true,
    () => false,
  )
  if (!apt || !codename)
    throw new UsageError(
      'lavapipe is installed by apt on Debian and Ubuntu, and there is no apt here; use your own package manager (Mesa 23.2 or newer)',
    )
  if (process.getuid?.() !== 0) throw new UsageError("installing a driver needs root: run 'sudo npx graft adapters --install-lavapipe'")
  await stream('apt-get', ['update', '-qq'], log)
  const packages = ['mesa-vulkan-drivers', 'libvulkan1']
  const candidate = await candidateVersion()
  if (candidate >= wantedMesa) {
    log(`installing Mesa ${candidate} from ${codename}`)
    await stream('apt-get', ['install', '-y', '-qq', ...packages], log)
    return
  }
  log(`the Mesa of ${codename} is ${candidate}, too old for Dawn; installing from ${codename}-backports`)
  if (!(await hasBackports(codename))) await addBackports(codename)
  await stream('apt-get', ['update', '-qq'], log)
  await stream('apt-get', ['install', '-y', '-qq', '-t', `${codename}-backports`, ...packages], log)
}

const run = promisify(execFile)

/** The Mesa that apt would install without backports, as a number: 22.3. */
async function candidateVersion(): Promise<number> {
  const { stdout } = await run('apt-cache', ['policy', 'mesa-vulkan-drivers'])
  return Number(/Candidate:\s*(\d+\.\d+)/.exec(stdout)?.[1] ?? 0)
}

async function sourceFiles(): Promise<string[]> {
  const names = (await readdir(sources).catch(() => [])).map((name) => join(sources, name))
  return Promise.all([...names, '/etc/apt/sources.list'].map((path) => readFile(path, 'utf8').catch(() => '')))
}

async function hasBackports(codename: string): Promise<boolean> {
  return (await sourceFiles()).some((text) => text.includes(`${codename}-backports`))
}

/** Names the release's backports at the mirror that the machine already uses. */
async function addBackports(codename: string): Promise<void> {
  const texts = await sourceFiles()
  const field = (name: string) =>
    texts.map((text) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(text)?.[1]).find((value) => value !== undefined)
  const uri = field('URIs') ?? texts.map((text) => /^deb\s+(?:\[.*?\]\s+)?(\S+)/m.exec(text)?.[1]).find((value) => value !== undefined)
  if (!uri) throw new UsageError(`no Debian mirror is named in ${sources}: add ${codename}-backports by hand`)
  const key = field('Signed-By')
  const lines = ['Types: deb', `URIs: ${uri}`, `Suites: ${codename}-backports`, 'Components: main', ...(key ? [`Signed-By: ${key}`] : [])]
  await writeFile(`${backports}.tmp`, `${lines.join('\n')}\n`)
  await rename(`${backports}.tmp`, backports)
}

/** Runs a command and logs what it prints, line by line. */
function stream(command: string, args: readonly string[], log: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const output of [child.stdout, child.stderr]) createInterface({ input: output }).on('line', log)
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${command} ${args.join(' ')} ended with exit code ${code}`))))
  })
}
