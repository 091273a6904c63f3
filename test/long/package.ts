/**
 * Packs the package, installs it as a user does, and trains a step with it: under three versions
 * of Node, installed by npm, pnpm and yarn, in a page bundled by Vite and by webpack, and in Bun
 * and Deno. All of them come from the npm registry.
 *     npm run test:package [-- NAME…]
 * NAME: only the trials whose names begin so, such as pnpm. Prints a line a trial, and exits with 1
 * if one fails. Bun and Deno run only what they are known to run: a program with the library.
 */

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import manifest from '../../package.json' with { type: 'json' }
import { complaintsOf, openChromium } from '../support/chromium.ts'
import { serveFolder } from '../support/staticSite.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const wanted = process.argv.slice(2)
const folder = await mkdtemp(join(tmpdir(), 'graft-package-'))
const swiftshader = `@sparticuz/chromium@${manifest.peerDependencies['@sparticuz/chromium']}`
const weights = 'graft-webgpu/weights/alexnet-64-tinyimagenet100.safetensors'

/** Two steps on two images of one color: the second loss is the lower one. */
const steps = `
import { alexnet, applyScenario, createEngine, crossEntropy, SGD } from 'graft-webgpu'

export async function losses(weights) {
  const engine = await createEngine()
  const model = await alexnet(engine, { weights })
  applyScenario(model, { scenario: 'large-similar', classes: 3 })
  const optimizer = new SGD(model.parameters(), { lr: 0.01, momentum: 0.9 })
  const x = engine.tensor(new Float32Array(2 * 3 * 64 * 64).fill(0.5), [2, 3, 64, 64])
  const found = []
  for (let step = 0; step < 2; step++) {
    const loss = crossEntropy(model.forward(x, { training: false }), Int32Array.of(0, 2))
    const value = loss.data()
    loss.backward()
    optimizer.step()
    optimizer.zeroGrad()
    found.push((await value)[0])
    loss.dispose()
  }
  engine.dispose()
  return found
}
`

/** Runs a command to its end; what it prints on either stream. */
async function run(cwd: string, command: string, ...args: readonly string[]) {
  const env = { ...process.env, YARN_ENABLE_TELEMETRY: '0' }
  return promisify(execFile)(command, args, { cwd, env, maxBuffer: 2 ** 26 })
}

/** A folder of a user's, with the two steps in it. */
async function project(name: string): Promise<string> {
  const path = join(folder, name)
  await mkdir(path)
  const manifest = { name: 'a-user', private: true, type: 'module' }
  await writeFile(join(path, 'package.json'), JSON.stringify(manifest))
  await writeFile(join(path, 'steps.js'), steps)
  await writeFile(
    join(path, 'main.js'),
    "import { losses } from './steps.js'\n" +
      "console.log(JSON.stringify(await losses('alexnet-64-tinyimagenet100')))\n",
  )
  return path
}

let failed = false

/** One line about a trial: its losses, which have to fall, and nothing on the error stream. */
async function trial(
  name: string,
  work: () => Promise<{ stdout: string; stderr: string }>,
): Promise<void> {
  if (wanted.length && !wanted.some((one) => name.startsWith(one))) return
  let said: string
  try {
    const { stdout, stderr } = await work()
    const [first = Number.NaN, second = Number.NaN] = JSON.parse(stdout) as number[]
    said = second < first && stderr === '' ? `${first} ${second}` : ''
    if (!said) throw new Error(`${stdout}${stderr}`)
  } catch (error) {
    failed = true
    said = `failed: ${error instanceof Error ? error.message : error}`
  }
  console.log(`${name.padEnd(22)} ${said}`)
}

/** The file of a program in a package of the registry. */
async function fetched(spec: string, file: string): Promise<string> {
  const path = join(folder, 'tools', spec.replace(/\W/g, '-'))
  await mkdir(path, { recursive: true })
  await run(path, 'npm', 'install', '--no-audit', '--no-fund', '--prefix', path, spec)
  return join(path, 'node_modules', spec.replace(/(?!^)@.*/, ''), file)
}

async function versions(tarball: string): Promise<void> {
  let installed: Promise<string> | null = null
  const user = () => {
    installed ??= project('npm').then(async (path) => {
      await run(path, 'npm', 'install', '--no-audit', '--no-fund', tarball, swiftshader)
      return path
    })
    return installed
  }
  for (const version of [20, 22, 24]) {
    const node = () => fetched(`node-${process.platform}-${process.arch}@${version}`, 'bin/node')
    await trial(`node ${version}`, async () => run(await user(), await node(), 'main.js'))
  }
  await trial('bun', async () =>
    run(await user(), await fetched('@oven/bun-linux-x64@1', 'bin/bun'), 'main.js'),
  )
  await trial('deno', async () => {
    const deno = await fetched('@deno/linux-x64-glibc@2', 'deno')
    const { stdout } = await run(await user(), deno, 'run', '-A', 'main.js')
    return { stdout, stderr: '' } // Dawn's warnings reach its error stream
  })
}

async function managers(tarball: string): Promise<void> {
  await trial('pnpm', async () => {
    const user = await project('pnpm')
    const pnpm = await fetched('pnpm@10', 'bin/pnpm.cjs')
    await run(user, process.execPath, pnpm, 'add', tarball, swiftshader)
    await run(user, process.execPath, pnpm, 'exec', 'graft', '--version')
    return run(user, process.execPath, 'main.js')
  })
  await trial('yarn, Plug’n’Play', async () => {
    const user = await project('yarn')
    await writeFile(join(user, 'yarn.lock'), '')
    const yarn = await fetched('@yarnpkg/cli-dist@4', 'bin/yarn.js')
    await run(user, process.execPath, yarn, 'add', `graft-webgpu@file:${tarball}`, swiftshader)
    await run(user, process.execPath, yarn, 'graft', '--version')
    return run(user, process.execPath, yarn, 'node', 'main.js')
  })
}

/** The losses of a page in Chromium that a bundler made. */
async function bundled(
  name: string,
  tarball: string,
  packages: readonly string[],
  page: string,
  command: readonly string[],
): Promise<void> {
  await trial(name, async () => {
    const user = await project(name)
    await run(user, 'npm', 'install', '--no-audit', '--no-fund', tarball, ...packages)
    await writeFile(join(user, 'page.js'), page)
    await writeFile(join(user, 'index.html'), html('/page.js'))
    await run(user, process.execPath, ...command)
    // webpack makes no page of its own.
    const built = join(user, 'dist')
    if (!(await readdir(built)).includes('index.html'))
      await writeFile(join(built, 'index.html'), html('/main.js'))
    const { url, close } = await serveFolder(built)
    const browser = await openChromium()
    try {
      const opened = await browser.newPage()
      const complaints = complaintsOf(opened)
      await opened.goto(url)
      const said = opened.locator('pre')
      await said.waitFor({ timeout: 120_000 })
      return { stdout: (await said.textContent()) ?? '', stderr: complaints.join('\n') } // '' fails
    } finally {
      await browser.close()
      close()
    }
  })
}

const show = `
const pre = document.createElement('pre')
pre.textContent = JSON.stringify(await losses(weights).catch(String))
document.body.append(pre)
`
const html = (script: string) =>
  `<!doctype html><title>a page</title><link rel="icon" href="data:,"><body><script type="module" src="${script}"></script>`

async function bundlers(tarball: string): Promise<void> {
  await bundled(
    'vite',
    tarball,
    ['vite@8'],
    `import weights from '${weights}?url'\nimport { losses } from './steps.js'\n${show}`,
    ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'error'],
  )
  await bundled(
    'webpack',
    tarball,
    ['webpack@5', 'webpack-cli@6'],
    "import { losses } from './steps.js'\n" +
      `const weights = new URL('${weights}', import.meta.url).href\n${show}`,
    ['node_modules/webpack-cli/bin/cli.js', 'build', '--mode', 'production', './page.js'],
  )
}

try {
  await run(root, 'npm', 'pack', '--pack-destination', folder)
  const name = (await readdir(folder)).find((one) => one.endsWith('.tgz'))
  if (!name) throw new Error('npm pack wrote no tarball')
  const tarball = resolve(folder, name)
  await versions(tarball)
  await managers(tarball)
  await bundlers(tarball)
} finally {
  await rm(folder, { recursive: true, force: true })
}
process.exitCode = failed ? 1 : 0
