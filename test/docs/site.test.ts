/**
 * The site of docs/, built and looked at, where its packages are installed (`npm run docs`, or
 * `npm ci --prefix docs`). VitePress itself refuses links between pages that lead nowhere.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromium, complaintsOf, openChromium } from '../support/chromium.ts'
import { serveFolder } from '../support/staticSite.ts'

const docs = join(import.meta.dirname, '..', '..', 'docs')
const builder = join(docs, 'node_modules', 'vitepress', 'bin', 'vitepress.js')
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
if (!existsSync(builder)) console.log('the site: skipped, npm ci --prefix docs installs VitePress')

describe.skipIf(!existsSync(builder) || !chromium)('the site', () => {
  let folder = ''
  let site: Awaited<ReturnType<typeof serveFolder>>
  let browser: Browser

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'graft-site-'))
    await promisify(execFile)(process.execPath, [builder, 'build', docs, '--outDir', folder])
    site = await serveFolder(folder)
    browser = await openChromium()
  })
  afterAll(async () => {
    await browser?.close()
    site?.close()
    await rm(folder, { recursive: true, force: true })
  })

  test.each<[string, number, 'light' | 'dark']>([
    ['index', 390, 'light'],
    ['learn-ml', 1440, 'dark'],
    ['kernels', 1440, 'light'],
    ['scenarios', 390, 'dark'],
    ['glossary', 768, 'light'],
  ])('%s at %i pixels, %s', async (name, width, colorScheme) => {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme })
    const complaints = complaintsOf(page)
    page.on('request', (request) => {
      if (!request.url().startsWith(site.url) && !request.url().startsWith('data:'))
        complaints.push(`it asks for ${request.url()}`)
    })
    await page.goto(`${site.url}${name}.html`)
    await page.waitForLoadState('networkidle')
    const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
    const unseen = await page
      .locator('img:visible')
      .evaluateAll(
        (images) =>
          images.filter((image) => !('naturalWidth' in image && image.naturalWidth)).length,
      )
    await page.addScriptTag({ path: axe })
    const violations = await page.evaluate(
      `axe.run().then(({ violations }) => violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`,
    )
    expect({ complaints, overflow, unseen, violations }).toEqual({
      ...{ complaints: [], overflow: 0, unseen: 0, violations: [] },
    })
    await page.close()
  })

  test('terms lead to places of the glossary', async () => {
    const page = await browser.newPage()
    const anchors = new Set<string>()
    for (const file of (await readdir(folder)).filter((name) => name.endsWith('.html'))) {
      await page.goto(`${site.url}${file}`, { waitUntil: 'domcontentloaded' })
      const found = await page
        .locator('a.term')
        .evaluateAll((links) => links.map((link) => link.getAttribute('href')?.split('#')[1] ?? ''))
      for (const anchor of found) anchors.add(anchor)
    }
    expect(anchors.size).toBeGreaterThan(25)
    await page.goto(`${site.url}glossary.html`)
    const places = await page
      .locator('h3[id]')
      .evaluateAll((headings) => headings.map(({ id }) => id))
    expect([...anchors].filter((anchor) => !places.includes(anchor))).toEqual([])
    await page.close()
  })
})
