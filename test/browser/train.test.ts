import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium as launcher, type Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { embedShaders } from '../../shaders/embed.js'
import type * as Graft from '../../src/browser.ts'
import { createEngineOn } from '../../src/createEngine.ts'
import { filesDataset } from '../../src/data/filesDataset.ts'
import { decodeImage } from '../../src/host/node/decode.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import * as node from '../../src/universal.ts'
import { chromium, complaintsOf, openChromium, servePage } from '../support/chromium.ts'
import { drawnShapes } from '../support/shapes.ts'

if (!chromium)
  console.log('training in a browser: skipped, no Chromium is installed (GRAFT_CHROMIUM names one)')

/** Every image's path below the root, and its bytes in base64: what can be handed to a page. */
type Files = readonly (readonly [path: string, base64: string])[]

let html = ''
let files: Files = []
beforeAll(async () => {
  await embedShaders()
  const entry = fileURLToPath(new URL('../../src/browser.ts', import.meta.url))
  const options = {
    bundle: true,
    format: 'iife',
    globalName: 'graft',
    platform: 'browser',
    write: false,
  } as const
  const { outputFiles } = await build({ ...options, entryPoints: [entry], logLevel: 'silent' })
  const script = (outputFiles[0]?.text ?? '').replaceAll('</script', '<\\/script')
  html = `<!doctype html><meta charset="utf-8"><title>Graft</title><script>${script}</script>`
  const { train, val, classes } = await drawnShapes({ train: 7, val: 2 })
  const parts = { train, val }
  files = (['train', 'val'] as const).flatMap((part) =>
    parts[part].map(({ source, label }, i) => {
      if (!(source instanceof Uint8Array)) throw new Error('these images lie in memory')
      return [`${part}/${classes[label]}/${i}.png`, Buffer.from(source).toString('base64')] as const
    }),
  )
})

/**
 * Twenty steps with dropout and shuffling; runs in Node and in the page alike, so it names nothing
 * from outside.
 */
async function twentySteps(
  graft: typeof node,
  engine: Graft.Engine,
  data: Graft.ImageDataset,
  more: Partial<Graft.FitOptions> = {},
) {
  const model = await graft.alexnet(engine, {
    variant: 'alexnet-64',
    channels: [8, 8, 12, 12, 8],
    hidden: 16,
    seed: 4,
  })
  graft.applyScenario(model, { scenario: 'large-similar', classes: data.classes.length })
  const losses: number[] = []
  const onEvent: Graft.OnEvent = (event) => {
    if (event.type === 'step') losses.push(event.loss)
  }
  await graft.fit(model, data, {
    epochs: 4,
    batchSize: Math.ceil(data.train.length / 5),
    lr: 1e-3,
    seed: 3,
    onEvent,
    ...more,
  })
  return { model, losses }
}

async function inChromium<T>(work: (page: Page) => Promise<T>): Promise<T> {
  const { url, server } = await servePage(html)
  const browser = await openChromium()
  try {
    const page = await browser.newPage()
    const complaints = complaintsOf(page)
    await page.goto(url)
    const result = await work(page)
    expect(complaints).toEqual([])
    return result
  } finally {
    await browser.close()
    server.close()
  }
}

describe.skipIf(!chromium)('in a real Chromium', () => {
  test('twenty seeded steps come to the losses of Node; images, checkpoints and files are whole', async () => {
    const bytes = files.map(([path, text]) => ({
      path,
      file: new Blob([Buffer.from(text, 'base64')]),
    }))
    // What Chromium brings too; elsewhere than on Linux x64 both have a GPU.
    const adapter = process.platform === 'linux' && process.arch === 'x64' ? 'swiftshader' : 'auto'
    const engine = await createEngineOn(nodeHost, { adapter })
    const expected = await twentySteps(node, engine, filesDataset(bytes))
    const onnx = Buffer.from(await node.exportOnnx(expected.model)).length
    engine.dispose()
    const first = await decodeImage(bytes[0]?.file ?? new Blob())

    const found = await inChromium((page) =>
      page.evaluate(
        async ([files, source]) => {
          const { graft } = globalThis as unknown as { graft: typeof Graft }
          const run = new Function(`return ${source}`)() as typeof twentySteps
          const bytes = files.map(([path, text]) => ({
            path,
            file: new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]),
          }))
          const data = graft.filesDataset(bytes)
          const { data: pixels } = await graft.decodeImage(bytes[0]?.file ?? new Blob())
          const digest = new Uint8Array(
            await crypto.subtle.digest('SHA-256', pixels as Uint8Array<ArrayBuffer>),
          )
          const broken = await graft
            .decodeImage(new File(['no image'], 'x.png'))
            .catch((error: Error) => error.message)
          const engine = await graft.createEngine()
          const { model, losses } = await run(graft, engine, data, { checkpoint: 'runs/a' })
          let resumedAt = 0
          await run(graft, engine, data, {
            checkpoint: 'runs/a',
            resume: true,
            onResume: (epochs) => (resumedAt = epochs.length),
          })
          const { accuracy } = await graft.evaluate(model, data)
          const [prediction] = await graft.predict(model, [bytes[0]?.file ?? new Blob()])
          const weights = graft.writeSafetensors(await model.stateDict())
          const again = Object.keys(graft.readSafetensors(weights).tensors).length
          const onnx = (await graft.exportOnnx(model)).length
          const { kind } = engine.info
          engine.dispose()
          const pixelHash = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join(
            '',
          )
          return {
            losses,
            kind,
            pixelHash,
            broken,
            resumedAt,
            accuracy,
            top: prediction?.top.length,
            again,
            onnx,
          }
        },
        [files, twentySteps.toString()] as const,
      ),
    )
    console.log(
      `in Chromium on ${found.kind}: ${found.losses.length} steps, last losses ${found.losses.at(-1)} and ${expected.losses.at(-1)}`,
    )
    expect(found.losses).toHaveLength(20)
    expect(expected.losses).toHaveLength(20)
    for (const [i, loss] of found.losses.entries())
      expect(Math.abs(loss - (expected.losses[i] ?? Number.NaN))).toBeLessThan(1e-3)
    expect(found.pixelHash).toBe(createHash('sha256').update(first.data).digest('hex'))
    expect(found.broken).toBe('x.png: not a JPEG, PNG or WebP image (it holds text)')
    expect(found.resumedAt).toBe(4)
    expect(found.accuracy).toBeGreaterThanOrEqual(0)
    expect(found).toMatchObject({ top: 3, again: 16, onnx })
  })

  test('where there is no WebGPU one line says so', async () => {
    const { url, server } = await servePage(html)
    const browser = await launcher.launch({
      executablePath: chromium ?? '',
      args: ['--no-sandbox', '--disable-features=WebGPU'],
    })
    try {
      const page = await browser.newPage()
      await page.goto(url)
      const message = await page.evaluate(async () => {
        const { graft } = globalThis as unknown as { graft: typeof Graft }
        Object.defineProperty(navigator, 'gpu', { value: undefined })
        return graft.createEngine().then(
          () => '',
          (error: Error) => `${error.constructor === graft.AdapterError} ${error.message}`,
        )
      })
      expect(message).toMatch(
        /^true no WebGPU adapter: this browser has no WebGPU here; use a browser with WebGPU [^\n]*$/,
      )
    } finally {
      await browser.close()
      server.close()
    }
  })
})
