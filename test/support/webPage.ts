/** The training page, built once and served, in a real Chromium. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { expect } from 'vitest'
import { complaintsOf, openChromium } from './chromium.ts'
import { serveFolder } from './staticSite.ts'

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/** Milliseconds that a step on the page may take on a busy machine. */
const patience = 100_000

export interface WebPage {
  /** A folder of its own, with the built page in `page`. */
  readonly folder: string
  readonly url: string
  /** A new tab, and what it complains of. */
  open(options?: { readonly width?: number; readonly dark?: boolean }): Promise<{
    readonly page: Page
    readonly complaints: string[]
  }>
  close(): Promise<void>
}

/** @param flags more arguments for Chromium */
export async function buildWebPage(...flags: string[]): Promise<WebPage> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-web-'))
  const { build } = await import('vite')
  const configFile = fileURLToPath(new URL('../../src/web/vite.config.ts', import.meta.url))
  await build({ configFile, logLevel: 'error', build: { outDir: join(folder, 'page') } })
  const site = await serveFolder(join(folder, 'page'))
  const browser: Browser = await openChromium(...flags)
  return {
    folder,
    url: site.url,
    async open({ width = 1440, dark = false } = {}) {
      const page = await browser.newPage({
        viewport: { width, height: 900 },
        colorScheme: dark ? 'dark' : 'light',
      })
      page.setDefaultTimeout(patience)
      const complaints = complaintsOf(page)
      page.on('request', (request) => {
        if (!request.url().startsWith(site.url) && !request.url().startsWith('blob:'))
          complaints.push(`it asks for ${request.url()}`)
      })
      await page.goto(site.url)
      await page.getByText(/^Computes on/).waitFor()
      return { page, complaints }
    },
    async close() {
      await browser.close()
      site.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Nothing that axe-core calls serious, and nothing beyond the edge. */
export async function noBarrier(page: Page): Promise<void> {
  // The page's policy takes no script tag; what the test evaluates is not the page's.
  await page.evaluate(await readFile(axe, 'utf8'))
  const found = await page.evaluate(async () => {
    const { axe: runner } = globalThis as unknown as {
      axe: {
        run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }>
      }
    }
    const { violations } = await runner.run()
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`)
  })
  expect(found).toEqual([])
  expect(
    await page.evaluate(
      () => document.documentElement.scrollWidth <= document.documentElement.clientWidth,
    ),
  ).toBe(true)
}

/** Presses a download button; the file's path. */
export async function take(page: Page, name: string, folder: string): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name, exact: true }).click(),
  ])
  const path = join(folder, download.suggestedFilename())
  await download.saveAs(path)
  return path
}
