import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Workplace } from '../cli/run.ts'
import { chromium, complaintsOf, openChromium, servePage } from '../support/chromium.ts'

describe.skipIf(!chromium)('the page of graft web in a real Chromium', () => {
  let [place, browser]: [Workplace | null, Browser | null] = [null, null]
  let server: ChildProcess
  let url = ''
  beforeAll(async () => {
    place = await Workplace.make({ train: 8, val: 2 })
    const child = spawn(process.execPath, ['src/cli/graft.js', 'web', '--json'])
    server = child
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    url = (JSON.parse(String(said)) as { url: string }).url
    browser = await openChromium()
  })
  afterAll(async () => {
    server?.kill()
    await browser?.close()
    await place?.remove()
  })

  test('trains, with its worker, its weights and its images, and nothing complains of the policy', async () => {
    if (!browser || !place) throw new Error('nothing was prepared')
    const page = await browser.newPage()
    const complaints = complaintsOf(page)
    await page.goto(url)
    await page.getByLabel(/Choose (a|another) folder/).setInputFiles(place.photos)
    await page.locator('img[src^="blob:"]').first().waitFor()
    await page.getByText('How it learns').click()
    await page.getByText('few, similar').click()
    await page.getByLabel('Rounds', { exact: true }).fill('1')
    await page.getByRole('button', { name: 'Train', exact: true }).click()
    await page.getByTestId('accuracy').waitFor({ timeout: 120_000 })
    await page.reload()
    await page.getByText(/^Computes on/).waitFor()
    expect(complaints).toEqual([])
    await page.close()
  })

  test('cannot be framed or read by a page of another port', async () => {
    if (!browser) throw new Error('nothing was prepared')
    const foreign = await servePage('<!doctype html><title>foreign</title>')
    const page = await browser.newPage()
    await page.goto(foreign.url)
    const weights = `${url}weights/alexnet-64-tinyimagenet100.safetensors`
    const read = (address: string) =>
      fetch(address, { mode: 'no-cors' }).then(
        () => 'read',
        () => 'refused',
      )
    expect(await page.evaluate(read, weights)).toBe('refused')
    expect(await page.evaluate(read, url)).toBe('refused')
    await page.evaluate(
      (src) =>
        new Promise((resolve) => {
          document.body.append(
            Object.assign(document.createElement('iframe'), { src, onload: resolve }),
          )
        }),
      url,
    )
    const [, frame] = page.frames()
    expect(await frame?.evaluate(() => document.querySelector('#app'))).toBeNull()
    await page.close()
    foreign.server.close()
  })
})
