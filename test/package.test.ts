import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { build } from 'esbuild'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import { chromium, complaintsOf, openChromium, servePage } from './support/chromium.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
let folder: string
let tarball = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-package-'))
  await run('npm', ['pack', '--pack-destination', folder], { cwd: root })
  tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? ''
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'a-user', private: true, type: 'module' }),
  )
  // The user's own choice of SwiftShader: an optional peer.
  const packages = [
    `./${tarball}`,
    `@sparticuz/chromium@${manifest.peerDependencies['@sparticuz/chromium']}`,
  ]
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], {
    cwd: folder,
  })
}, 600_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

const looked = `
import { alexnet, createEngine } from 'graft-webgpu'
import { chromeTrace, type Inspection, inspect, inspectorPage, serveInspection } from 'graft-webgpu/inspector'

const engine = await createEngine()
const model = await alexnet(engine, { variant: 'alexnet-64', channels: [6, 8, 8, 8, 8], hidden: 12, classes: 4, seed: 1 })
const { inspection, recording } = await inspect(model, { train: true, label: 3 })
const again: Inspection = JSON.parse(JSON.stringify(inspection))
const html: string = await inspectorPage(again)
const events: object = recording.milliseconds === null ? {} : chromeTrace(recording, 'a step')
const { url, close } = await serveInspection(again)
const same: boolean = (await (await fetch(url)).text()) === html
close()
const { dispatches, loss, target, numbers } = again
console.log(JSON.stringify({ dispatches: dispatches.length, loss, target, numbers, events, same, head: html.slice(0, 200), bytes: html.length }))
engine.dispose()
`

const oneStep = `
import { alexnet, applyScenario, createEngine, crossEntropy, type Network, SGD } from 'graft-webgpu'

const engine = await createEngine()
const model: Network = await alexnet(engine, { weights: 'alexnet-64-tinyimagenet100' })
applyScenario(model, { scenario: 'large-similar', classes: 3 })
const optimizer = new SGD(model.parameters(), { lr: 0.01, momentum: 0.9 })
const x = engine.tensor(new Float32Array(2 * 3 * 64 * 64).fill(0.5), [2, 3, 64, 64])
const losses: number[] = []
for (let step = 0; step < 2; step++) {
  const loss = crossEntropy(model.forward(x, { training: false }), Int32Array.of(0, 2))
  const value = loss.data()
  loss.backward()
  optimizer.step()
  optimizer.zeroGrad()
  losses.push((await value)[0] ?? Number.NaN)
  loss.dispose()
}
console.log(JSON.stringify({ kind: engine.info.kind, losses }))
engine.dispose()
`

describe('the package, packed and installed in an empty folder', () => {
  test('trains a step', async () => {
    await writeFile(
      join(folder, 'step.js'),
      oneStep.replaceAll(/: Network|: number\[\]|type Network, /g, ''),
    )
    const { stdout, stderr } = await run(process.execPath, ['step.js'], { cwd: folder })
    expect(stderr).toBe('')
    const { kind, losses } = JSON.parse(stdout) as { kind: string; losses: [number, number] }
    expect(['hardware', 'lavapipe', 'swiftshader']).toContain(kind)
    expect(losses[1]).toBeLessThan(losses[0])
  })

  test('records a step, and gives it as JSON, as a page and as a trace', async () => {
    await writeFile(
      join(folder, 'look.js'),
      looked.replaceAll(/: (Inspection|string|object|boolean)\b|type Inspection, /g, ''),
    )
    const { stdout } = await run(process.execPath, ['look.js'], { cwd: folder, maxBuffer: 2 ** 24 })
    const found = JSON.parse(stdout)
    expect(found).toMatchObject({
      target: 'class 3',
      same: true,
      head: expect.stringMatching(/^<!doctype html>/),
    })
    expect(found.loss).toBeGreaterThan(0)
    expect(found.bytes).toBeGreaterThan(300_000)
    expect(found.numbers.every(({ ok }: { ok: boolean }) => ok)).toBe(true)
    if (found.events.traceEvents)
      expect(found.events.traceEvents).toHaveLength(found.dispatches + 2)
  })

  test.skipIf(!chromium)('does so in a browser too, where the page opens from a blob', async () => {
    const contents = `
      import { alexnet, createEngine } from 'graft-webgpu'
      import { inspect, inspectorPage } from 'graft-webgpu/inspector'
      globalThis.look = async () => {
        const engine = await createEngine()
        const model = await alexnet(engine, { variant: 'alexnet-64', channels: [6, 8, 8, 8, 8], hidden: 12, classes: 4, seed: 1 })
        const { inspection } = await inspect(model, { train: true, label: 3 })
        location.href = URL.createObjectURL(new Blob([await inspectorPage(inspection)], { type: 'text/html' }))
        engine.dispose()
      }`
    const options = {
      bundle: true,
      format: 'esm',
      platform: 'browser',
      write: false,
      logLevel: 'silent',
    } as const
    const { outputFiles } = await build({ ...options, stdin: { contents, resolveDir: folder } })
    const script = (outputFiles[0]?.text ?? '').replaceAll('</script', '<\\/script')
    const { url, server } = await servePage(
      `<!doctype html><title>a page</title><script type="module">${script}</script>`,
    )
    const browser = await openChromium()
    try {
      const page = await browser.newPage()
      const complaints = complaintsOf(page)
      await page.goto(url)
      await page.evaluate('void look()')
      await page.locator('#panel h2', { hasText: 'The network' }).waitFor({ timeout: 100_000 })
      await page.evaluate("location.hash = 'network'")
      expect(await page.locator('.facts').textContent()).toMatch(
        /^One training step of alexnet-64 on .* for class 3\. Graft \d/,
      )
      expect(complaints).toEqual([])
    } finally {
      await browser.close()
      server.close()
    }
  })

  test('brings its types', async () => {
    await writeFile(join(folder, 'step.ts'), oneStep)
    await writeFile(join(folder, 'look.ts'), looked)
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      'step.ts',
      'look.ts',
    ]
    const { stdout } = await run(
      process.execPath,
      [join(root, 'node_modules/typescript/bin/tsc'), ...options],
      { cwd: folder },
    ).catch((error: { stdout: string }) => error)
    expect(stdout).toBe('')
  })

  test('publint has nothing to say', async () => {
    const { messages, pkg } = await publint({
      pkgDir: join(folder, 'node_modules/graft-webgpu'),
      pack: false,
    })
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
  })

  test('the demo has its emoji in it', async () => {
    const module = join(folder, 'node_modules/graft-webgpu/dist/data/emoji.js')
    const { openEmoji } = (await import(module)) as typeof import('../src/data/emoji.ts')
    const { root, classes, train } = await openEmoji()
    expect([basename(root), classes.length, train.length]).toEqual(['emoji.tar', 15, 866])
  })

  test('nor has are-the-types-wrong, but that CommonJS has to import() it: the package is ESM, and Node 20.9 cannot require that', async () => {
    const analysis = await checkPackage(
      createPackageFromTarballData(await readFile(join(folder, tarball))),
    )
    const problems = analysis.types ? analysis.problems : []
    expect(analysis.types).not.toBe(false)
    const names = problems
      .filter((one) => !('resolutionKind' in one && one.resolutionKind === 'node10'))
      .map(({ kind }) => kind)
    expect(new Set(names)).toEqual(new Set(['CJSResolvesToESM']))
  })

  test.each([
    ['graft-webgpu', "export { alexnet, createEngine, filesDataset, fit } from 'graft-webgpu'"],
    ['graft-webgpu/browser', "export * from 'graft-webgpu/browser'"],
    ['graft-webgpu/inspector', "export * from 'graft-webgpu/inspector'"],
  ])(
    '%s goes into a web page with no plugin, and what the page loads at first is under 150 kB',
    async (name, contents) => {
      const { metafile, outputFiles } = await build({
        ...{
          stdin: { contents, resolveDir: folder },
          absWorkingDir: folder,
          outdir: 'page',
          write: false,
          metafile: true,
          logLevel: 'silent',
        },
        ...{
          bundle: true,
          splitting: true,
          format: 'esm',
          platform: 'browser',
          minify: true,
          target: 'es2022',
        },
      })
      const sizes = new Map(
        outputFiles.map(({ path, contents }) => [basename(path), gzipSync(contents).length]),
      )
      const loaded = new Set<string>()
      const waiting = ['page/stdin.js']
      for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
        if (loaded.has(path)) continue
        loaded.add(path)
        for (const { kind, path: next } of metafile.outputs[path]?.imports ?? [])
          if (kind === 'import-statement') waiting.push(next)
      }
      const total = [...loaded].reduce(
        (sum, path) => sum + (sizes.get(basename(path)) ?? Number.NaN),
        0,
      )
      console.log(
        `${name}: ${(total / 1000).toFixed(1)} kB gzip at first, ${loaded.size} files of ${sizes.size}`,
      )
      expect(total).toBeGreaterThan(20_000)
      expect(total).toBeLessThan(150_000)
    },
  )

  test('nothing happens on import alone', async () => {
    const options = {
      bundle: true,
      format: 'esm',
      platform: 'browser',
      write: false,
      minify: true,
      logLevel: 'silent',
    } as const
    const stdin = {
      contents: "import 'graft-webgpu'; import 'graft-webgpu/inspector'",
      resolveDir: folder,
    }
    const { outputFiles } = await build({ ...options, stdin })
    expect(outputFiles[0]?.text.trim()).toBe('')
  })

  test('its command runs', async () => {
    for (const name of ['graft', 'graft-webgpu']) {
      const { stdout } = await run('npx', ['--no-install', name, '--version'], { cwd: folder })
      expect(stdout.trim()).toBe(manifest.version)
    }
  })

  test('its page is served, with the weights of the package', async () => {
    const command = spawn(
      process.execPath,
      ['node_modules/graft-webgpu/src/cli/graft.cjs', 'web', '--json'],
      { cwd: folder },
    )
    try {
      const [said] = (await once(command.stdout, 'data')) as [Buffer]
      const { url } = JSON.parse(String(said)) as { url: string }
      const page = await (await fetch(url)).text()
      const script = /src="\.\/(assets\/[^"]+\.js)"/.exec(page)?.[1]
      expect((await fetch(url + script)).headers.get('content-type')).toBe('text/javascript')
      const weights = await fetch(`${url}weights/alexnet-64-tinyimagenet100.safetensors`)
      expect((await weights.arrayBuffer()).byteLength).toBe(4_825_272)
      for (const path of ['package.json', 'weights', '%2e%2e/package.json', '..%2fpackage.json'])
        expect((await fetch(url + path)).status).toBe(404)
    } finally {
      command.kill()
    }
  })
})
