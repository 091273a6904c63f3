import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium as playwright } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ImageDataset } from '../../src/data/dataset.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { comparisonPage } from '../../src/report/comparison.tsx'
import { measureRun } from '../../src/report/figures.ts'
import { runPage } from '../../src/report/run.tsx'
import { chooseScenario } from '../../src/train/chooseScenario.ts'
import type { Comparison, Contestant } from '../../src/train/compareScenarios.ts'
import { fit } from '../../src/train/fit.ts'
import { applyScenario, type Scenario, scenarios } from '../../src/transfer/scenario.ts'
import { chromium } from '../support/chromium.ts'
import { testEngine } from '../support/engine.ts'
import { drawnShapes } from '../support/shapes.ts'

if (!chromium)
  console.log('report in a browser: skipped, no Chromium is installed (GRAFT_CHROMIUM names one)')

const widths = [1440, 390]
const schemes = ['light', 'dark'] as const

/** A class that would break out of a page that did not escape it. */
const hostile = '<img src=x onerror=alert(1)>"\'&'
/**
 * Names that would push the figures out of sight, turn what stands beside them, or be cut in the
 * middle of a letter.
 */
const unbroken = `${'a_very_long_name_without_a_space_'.repeat(4)}end`
const fromTheRight = `כלב ${'🐕'.repeat(30)} כלב`

describe.skipIf(!chromium)('the HTML files, in a real Chromium', () => {
  let browser: Browser
  let folder: string
  const pages: Record<string, string> = {}

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'graft-report-'))
    const { run, comparison } = await makePages()
    for (const [name, html] of Object.entries({ run, comparison })) {
      pages[name] = join(folder, `${name}.html`)
      await writeFile(pages[name], html)
    }
    browser = await playwright.launch({ executablePath: chromium ?? '', args: ['--no-sandbox'] })
  })
  afterAll(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })

  test.each(['run', 'comparison'])(
    '%s: no message, no request, every image there, and nothing that axe-core calls serious',
    async (name) => {
      const axe = await readFile(
        createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
        'utf8',
      )
      for (const width of widths)
        for (const colorScheme of schemes) {
          // The page's policy lets no script run, not even the test's own, unless it is lifted.
          const context = await browser.newContext({
            viewport: { width, height: 900 },
            colorScheme,
            bypassCSP: true,
          })
          const page = await context.newPage()
          const messages: string[] = []
          const requests: string[] = []
          page.on('console', (message) => messages.push(message.text()))
          page.on('pageerror', (error) => messages.push(String(error)))
          page.on('request', (request) => requests.push(request.url()))
          await page.goto(pathToFileURL(pages[name] ?? '').href)
          const images = await page.$$eval('img', (all) =>
            all.map((image) => image.complete && image.naturalWidth > 0),
          )
          expect(images).toEqual(images.map(() => true))
          if (name === 'run') expect(await page.locator('.losses img').count()).toBe(6)
          expect(
            requests.filter((url) => !url.startsWith('data:') && !url.startsWith('file:')),
          ).toEqual([])
          expect(messages).toEqual([])
          // Nothing runs off the page: what is wider scrolls in a region of its own.
          expect(
            await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth),
          ).toBe(true)
          await page.$$eval('details', (all) => {
            for (const details of all) details.open = true
          })
          await page.evaluate(axe)
          const violations = await page.evaluate(async () => {
            const { axe: run } = window as unknown as {
              axe: {
                run(): Promise<{
                  violations: { id: string; impact: string; nodes: { html: string }[] }[]
                }>
              }
            }
            return (await run.run()).violations.map(({ id, impact, nodes }) => ({
              id,
              impact,
              html: nodes[0]?.html,
            }))
          })
          expect(
            violations.filter(({ impact }) => impact === 'serious' || impact === 'critical'),
          ).toEqual([])
          await context.close()
        }
    },
  )

  test.each(widths)(
    'at %i pixels names of any kind leave the figures in sight, and no chart is cut',
    async (width) => {
      const page = await browser.newPage({ viewport: { width, height: 900 } })
      await page.goto(pathToFileURL(pages.run ?? '').href)
      const cut = await page.$$eval('svg', (all) =>
        all
          .flatMap((svg) => {
            const frame = svg.getBoundingClientRect()
            const beyond = (box: DOMRect) =>
              box.left < frame.left - 1 ||
              box.right > frame.right + 1 ||
              box.bottom > frame.bottom + 1
            return frame.width === 0
              ? []
              : Array.from(svg.querySelectorAll('text')).filter((text) =>
                  beyond(text.getBoundingClientRect()),
                )
          })
          .map((text) => text.textContent),
      )
      expect(cut).toEqual([])
      expect(await page.textContent('main')).not.toContain('\ufffd')
      const table = page.getByRole('region', { name: 'Precision and recall of each class' })
      const place = await table.evaluate((region) => {
        const right = (element: Element | null | undefined) =>
          element?.getBoundingClientRect().right ?? Number.POSITIVE_INFINITY
        const names = Array.from(region.querySelectorAll('tbody th')).map(right)
        return {
          share: Math.max(...names) / right(region),
          scrolls: region.scrollWidth > region.clientWidth,
        }
      })
      expect(place.share).toBeLessThan(0.75)
      if (width > 1000) expect(place.scrolls).toBe(false)
      await page.goto(pathToFileURL(pages.comparison ?? '').href)
      const four = page.getByRole('region', { name: 'The four scenarios' })
      if (width > 1000)
        expect(await four.evaluate((region) => region.scrollWidth > region.clientWidth)).toBe(false)
      // A line begins where something was measured: there is no accuracy of 0 % at 0 s.
      const chart = page.locator('svg:visible', { has: page.locator('g[aria-label=line]') })
      const starts = await chart
        .locator('g[aria-label=line] path')
        .evaluateAll((all) => all.map((path) => path.getAttribute('d')))
      const dots = await chart.locator('g[aria-label=dot] circle').count()
      expect(starts.length).toBe(4 + 1)
      expect(dots).toBe(starts.reduce((sum, d) => sum + (d?.match(/[ML]/g)?.length ?? 0), 0))
      expect(dots).toBe(4 * 3 + 2) // the line of the most common class has its two ends
      await page.close()
    },
  )

  test('a cell of the matrix leads to its images, without a script', async () => {
    const page = await browser.newPage()
    await page.goto(pathToFileURL(pages.run ?? '').href)
    const shown = page.locator('.cell:visible')
    expect(await shown.count()).toBe(0)
    const cell = page.locator('.matrix td a').first()
    const count = Number(await cell.textContent())
    await cell.focus()
    await page.keyboard.press('Enter')
    expect(await shown.count()).toBe(1)
    expect(await shown.locator('img').count()).toBe(Math.min(count, 6))
    expect(await shown.locator('h3').textContent()).toContain(`: ${count} image`)
    // Every cell with images leads somewhere, and nothing else does.
    const targets = await page.$$eval('.matrix td a', (all) =>
      all.map((a) => document.querySelector(a.getAttribute('href') ?? '') !== null),
    )
    const counted = page.locator('.matrix tbody td').filter({ hasText: /[1-9]/ })
    expect(targets).toEqual(new Array(await counted.count()).fill(true))
    await page.close()
  })

  test('the keyboard reaches the sections', async () => {
    const page = await browser.newPage()
    await page.goto(pathToFileURL(pages.run ?? '').href)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await expect.poll(() => new URL(page.url()).hash).toBe('#scenario')
    await page.close()
  })

  test('with its policy in force the page is silent too, and names from outside stay text', async () => {
    const page = await browser.newPage()
    const messages: string[] = []
    page.on('console', (message) => messages.push(message.text()))
    page.on('dialog', (dialog) => messages.push(dialog.message()))
    await page.goto(pathToFileURL(pages.run ?? '').href)
    expect(messages).toEqual([])
    expect(await page.textContent('main')).toContain(hostile)
    for (const row of [
      /left of the weights.*classifier\.weight \[2, 54\]/,
      /ignored.*<img .*total/,
    ])
      expect(await page.textContent('section[aria-labelledby=scenario]')).toMatch(row)
    await page.close()
  })
})

/** A short run's report and a comparison of its curve with itself. */
async function makePages(): Promise<{ run: string; comparison: string }> {
  const drawn = await drawnShapes({ train: 6, val: 3 })
  const data: ImageDataset = { ...drawn, classes: [hostile, unbroken, fromTheRight] }
  const engine = await testEngine()
  const model = await alexnet(engine, {
    variant: 'alexnet-64',
    channels: [8, 8, 12, 12, 8],
    hidden: 16,
    seed: 4,
  })
  const choice = await chooseScenario(model, data)
  model.left = ['classifier.weight [2, 54]']
  model.ignored = [`${hostile}.total`]
  const plan = applyScenario(model, { scenario: 'small-similar', classes: 3, replace: 'all' })
  const { epochs } = await fit(model, data, { epochs: 3, batchSize: 6 })
  const config = {
    graft: '0',
    architecture: model.architecture,
    plan,
    choice,
    classes: data.classes,
    options: { seed: 0 },
    adapter: 'test',
  }
  const timings = { choosing: 1.5, reading: 2, compiling: 0.5, training: 6, validating: 1 }
  const report = await measureRun(
    { folder: 'runs/test', model, config, data, epochs, timings, trained: new Date(0) },
    { topLosses: 3 },
  )
  model.dispose()
  const points = epochs.map((epoch, i) => ({ ...epoch, at: i + 1 }))
  const contestant: Contestant = {
    plan,
    points,
    valAccuracy: points.at(-1)?.valAccuracy ?? 0,
    interval: { low: 0.1, high: 0.9 },
    behind: { value: 0, low: -0.2, high: 0.2 },
    bestEpoch: 3,
    epochs: 3,
    seconds: 3,
    steps: 9,
  }
  const budget = { seconds: 3, epochs: null, reading: 1 }
  const comparison: Comparison = {
    choice,
    budget,
    chance: { mostCommon: 0.4, guessing: 1 / 3 },
    scenarios: new Map(scenarios.map((name): [Scenario, Contestant] => [name, contestant])),
  }
  return {
    run: runPage(report),
    comparison: comparisonPage(comparison, { data: 'photos', budget: '3 s each' }),
  }
}
