import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import manifest from '../package.json' with { type: 'json' }

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-package-'))
  await run('npm', ['pack', '--pack-destination', folder], { cwd: root })
  const [tarball = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'a-user', private: true, type: 'module' }))
  // The user's own choice of SwiftShader: an optional peer.
  const packages = [`./${tarball}`, `@sparticuz/chromium@${manifest.peerDependencies['@sparticuz/chromium']}`]
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], { cwd: folder })
}, 600_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

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
    await writeFile(join(folder, 'step.js'), oneStep.replaceAll(/: Network|: number\[\]|type Network, /g, ''))
    const { stdout } = await run(process.execPath, ['step.js'], { cwd: folder })
    const { kind, losses } = JSON.parse(stdout) as { kind: string; losses: [number, number] }
    expect(['hardware', 'lavapipe', 'swiftshader']).toContain(kind)
    expect(losses[1]).toBeLessThan(losses[0])
  })

  test('brings its types', async () => {
    await writeFile(join(folder, 'step.ts'), oneStep)
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', 'step.ts']
    const { stdout } = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...options], { cwd: folder }).catch(
      (error: { stdout: string }) => error,
    )
    expect(stdout).toBe('')
  })

  test('publint has nothing to say', async () => {
    const { messages, pkg } = await publint({ pkgDir: join(folder, 'node_modules/graft-webgpu'), pack: false })
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
  })

  test.each([
    ['graft-webgpu', "export { alexnet, createEngine, filesDataset, fit } from 'graft-webgpu'"],
    ['graft-webgpu/browser', "export * from 'graft-webgpu/browser'"],
  ])('%s goes into a web page with no plugin, and what the page loads at first is under 150 kB', async (name, contents) => {
    const { metafile, outputFiles } = await build({
      ...{
        stdin: { contents, resolveDir: folder },
        absWorkingDir: folder,
        outdir: 'page',
        write: false,
        metafile: true,
        logLevel: 'silent',
      },
      ...{ bundle: true, splitting: true, format: 'esm', platform: 'browser', minify: true, target: 'es2022' },
    })
    const sizes = new Map(outputFiles.map(({ path, contents }) => [basename(path), gzipSync(contents).length]))
    const loaded = new Set<string>()
    const waiting = ['page/stdin.js']
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (loaded.has(path)) continue
      loaded.add(path)
      for (const { kind, path: next } of metafile.outputs[path]?.imports ?? []) if (kind === 'import-statement') waiting.push(next)
    }
    const total = [...loaded].reduce((sum, path) => sum + (sizes.get(basename(path)) ?? Number.NaN), 0)
    console.log(`${name}: ${(total / 1000).toFixed(1)} kB gzip at first, ${loaded.size} files of ${sizes.size}`)
    expect(total).toBeGreaterThan(20_000)
    expect(total).toBeLessThan(150_000)
  })

  test('nothing happens on import alone', async () => {
    const options = { bundle: true, format: 'esm', platform: 'browser', write: false, minify: true, logLevel: 'silent' } as const
    const stdin = { contents: "import 'graft-webgpu'", resolveDir: folder }
    const { outputFiles } = await build({ ...options, stdin })
    expect(outputFiles[0]?.text.trim()).toBe('')
  })

  test('its command runs', async () => {
    const { stdout } = await run('npx', ['--no-install', 'graft', '--version'], { cwd: folder })
    expect(stdout.trim()).toBe(manifest.version)
  })

  test('its page is served, with the weights of the package', async () => {
    const command = spawn(process.execPath, ['node_modules/graft-webgpu/src/cli/graft.cjs', 'web', '--json'], { cwd: folder })
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
