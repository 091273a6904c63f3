import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testImage } from '../../src/inspect/image.ts'
import { inspect } from '../../src/inspect/inspect.ts'
import type { Inspection } from '../../src/inspect/inspection.ts'
import { inspectorPage } from '../../src/inspector.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { chromium, complaintsOf, openChromium } from '../support/chromium.ts'
import { testEngine } from '../support/engine.ts'
import { inspectSmall } from './inspection.ts'
import { barriersOn, show, viewsOf, walk } from './walk.ts'

/** A forward pass of a network that no scenario was applied to. */
async function inspectForward(): Promise<Inspection> {
  const engine = await testEngine()
  const model = await alexnet(engine, {
    variant: 'bvlc',
    channels: [6, 8, 8, 8, 8],
    hidden: 12,
    classes: 7,
    seed: 2,
  })
  const { inspection } = await inspect(model, { picture: testImage(80) })
  model.dispose()
  return inspection
}

describe.skipIf(!chromium)('the views of the inspector in Chromium', () => {
  let folder = ''
  let browser: Browser
  const recordings: Record<string, { readonly inspection: Inspection; readonly url: string }> = {}
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'graft-views-'))
    for (const [name, make] of [
      ['training', inspectSmall],
      ['forward', inspectForward],
    ] as const) {
      const inspection = await make()
      const path = join(folder, `${name}.html`)
      await writeFile(path, await inspectorPage(inspection))
      recordings[name] = { inspection, url: pathToFileURL(path).href }
    }
    browser = await openChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function open(name: string, { width = 1440, dark = false } = {}) {
    const recording = recordings[name]
    if (!recording) throw new Error(`there is no recording ${name}`)
    const page = await browser.newPage({
      viewport: { width, height: 900 },
      colorScheme: dark ? 'dark' : 'light',
    })
    const complaints = complaintsOf(page)
    page.on('request', (request) => {
      if (request.url().startsWith('http')) complaints.push(`the page asks for ${request.url()}`)
    })
    await page.goto(recording.url)
    await page.locator('#panel h2').first().waitFor()
    return { page, complaints, ...recording }
  }

  async function overflowOf(page: Page): Promise<number> {
    return page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement
      return scrollWidth - clientWidth
    })
  }

  test.each([
    [1440, false],
    [390, true],
  ])(
    'at %i pixels, from a file: no complaint, no serious barrier, nothing cut in any view',
    async (width, dark) => {
      const { page, complaints, inspection } = await open('training', { width, dark })
      const views = [
        ...(await viewsOf(page, inspection)),
        'image/features.3',
        'tensors/features.3/y/0/1/0/0',
        'tensors/features.4/y/0/1/0/0',
      ]
      for (const view of views) {
        await show(page, view)
        expect(await barriersOn(page), view).toEqual([])
        expect(await overflowOf(page), view).toBeLessThanOrEqual(0)
      }
      expect(complaints).toEqual([])
      await page.close()
    },
  )

  test.each(['training', 'forward'])('every step of a recording is live: %s', async (name) => {
    const { page, complaints, inspection } = await open(name)
    const { boxes, steps, sliders, exercises } = await walk(page, inspection)
    expect(steps).toBe(7)
    expect(boxes).toBeGreaterThan(8)
    expect(sliders).toBeGreaterThan(8)
    expect(exercises).toBeGreaterThanOrEqual(14)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('the page opens on the image, its classes, and a box for each result, cut and new marked', async () => {
    const { page, inspection } = await open('training')
    await page.getByText(`The network takes the image for`).waitFor()
    const { target } = inspection
    const told = page.locator('.bars .told')
    expect(await told.locator('.label').textContent()).toBe(target)
    expect(await told.locator('.mark-true').textContent()).toBe('true class')
    const boxes = page.locator('.boxes .box')
    expect(await boxes.first().locator('b').textContent()).toBe('the image')
    const states = await page
      .locator('a.box')
      .evaluateAll((all) =>
        all.map((box) => `${box.querySelector('b')?.textContent} ${box.className.split(' ')[1]}`),
      )
    expect(states).toContain('features.0 trained')
    expect(states.at(-1)).toBe('classifier.6 new')
    expect(await page.locator('.box.cut').textContent()).toContain('classifier.6')
    await page.close()
  })

  test('pointing at a number of a map, and the arrow keys, frame what it sees of the image', async () => {
    const { page } = await open('training')
    await show(page, 'chapters/fields')
    const said = page.locator('.lesson .verdict')
    expect(await said.textContent()).toMatch(/sees 9 x 9 pixels of 64 x 64/)
    const canvas = page.locator('.lesson canvas').first()
    await canvas.hover({ position: { x: 3, y: 3 } })
    await expect.poll(() => said.textContent()).toMatch(/row 0,\s+column 0 sees 9 x 9/)
    await canvas.focus()
    await page.keyboard.press('ArrowDown')
    await expect.poll(() => said.textContent()).toMatch(/row 1,\s+column 0 sees/)
    await page.close()
  })

  test('a figure stands beside its text where there is room, and below it elsewhere', async () => {
    const { page } = await open('training')
    await show(page, 'chapters/softmax')
    const frames = () =>
      page
        .locator('.lesson > .prose, .lesson > .figure')
        .evaluateAll((all) => all.map((one) => one.getBoundingClientRect().toJSON()))
    await page.setViewportSize({ width: 1440, height: 900 })
    const [text, figure] = await frames()
    expect(figure.left).toBeGreaterThan(text.right)
    expect(figure.top).toBe(text.top)
    await page.setViewportSize({ width: 390, height: 900 })
    const [above, below] = await frames()
    expect(below.top).toBeGreaterThanOrEqual(above.bottom)
    await page.close()
  })
})
