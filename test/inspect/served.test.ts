import { type Browser, chromium as launcher, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LocalServer } from '../../src/inspect/node/localServer.ts'
import { serveInspection } from '../../src/inspector.ts'
import { chromium, complaintsOf, servePage } from '../support/chromium.ts'
import { inspectSmall } from './inspection.ts'

describe.skipIf(!chromium)('the served inspection in a real Chromium', () => {
  let browser: Browser
  let inspection: LocalServer
  /** A page of another origin: another port of this machine. */
  let foreign: Awaited<ReturnType<typeof servePage>>
  beforeAll(async () => {
    inspection = await serveInspection(inspectSmall)
    foreign = await servePage('<!doctype html><title>foreign</title>')
    // Every name that ends in .example is rebound to this machine.
    const args = ['--no-sandbox', '--host-resolver-rules=MAP *.example 127.0.0.1']
    browser = await launcher.launch({ executablePath: chromium ?? '', args })
  })
  afterAll(async () => {
    await browser?.close()
    inspection?.close()
    foreign?.server.close()
  })

  /** Pages that are not the inspector's: of another port, of another site, without an origin. */
  const places: readonly [string, () => string][] = [
    ['another port', () => foreign.url],
    ['another site', () => foreign.url.replace('localhost', 'attacker.example')],
    ['no origin', () => 'data:text/html,<title>foreign</title>'],
  ]

  async function open(address: string): Promise<Page> {
    const page = await browser.newPage()
    await page.goto(address)
    return page
  }

  test('opens, also from a link, and again after a reload, without a complaint', async () => {
    const page = await open(places[1]?.[1]() ?? '')
    const complaints = complaintsOf(page)
    await page.evaluate((url) => {
      const link = Object.assign(document.createElement('a'), { href: url, textContent: 'open' })
      document.body.append(link)
    }, inspection.url)
    await page.getByText('open').click()
    const title = page.locator('#panel h2').first()
    await title.waitFor()
    await page.reload()
    await title.waitFor()
    expect(complaints).toEqual([])
    const told = new Promise((resolve) =>
      foreign.server.once('request', ({ headers }) => resolve(headers.referer)),
    )
    await page.evaluate((url) => location.assign(url), foreign.url)
    expect(await told).toBeUndefined() // the address has a secret in it
    await page.close()
  })

  test.each(['', 'SECRET/'])(
    'a page whose name is rebound to this machine reads nothing: /%s',
    async (path) => {
      const { port, pathname } = new URL(inspection.url)
      const page = await browser.newPage()
      const address = `http://attacker.example:${port}/`
      const answer = await page.goto(address + path.replace('SECRET/', pathname.slice(1)))
      expect(answer?.status()).toBe(403)
      expect(await page.content()).not.toContain('inspection')
      await page.close()
    },
  )

  test.each(places)('cannot be framed by a page of %s', async (_, place) => {
    const page = await open(place())
    for (const element of ['iframe', 'object', 'embed'])
      await page.evaluate(
        ([name, url]) =>
          new Promise<void>((resolve) => {
            const framed = document.createElement(name)
            framed.onload = framed.onerror = () => resolve()
            framed.setAttribute(name === 'object' ? 'data' : 'src', url)
            document.body.append(framed)
          }),
        [element, inspection.url] as const,
      )
    for (const frame of page.frames().slice(1))
      expect(await frame.evaluate(() => document.getElementById('inspection'))).toBeNull()
    await page.close()
  })

  test.each(places)('cannot be read by a page of %s', async (_, place) => {
    const page = await open(place())
    const read = await page.evaluate(async (url) => {
      const fetched = async (options: RequestInit) =>
        fetch(url, options).then(
          async (answer) => `${answer.type} ${(await answer.text()).length}`,
          () => 'refused',
        )
      const loaded = (name: 'script' | 'img' | 'link') =>
        new Promise<string>((resolve) => {
          const element = document.createElement(name)
          element.onload = () => resolve('loaded')
          element.onerror = () => resolve('refused')
          element.setAttribute(name === 'link' ? 'href' : 'src', url)
          if (name === 'link') element.setAttribute('rel', 'stylesheet')
          document.head.append(element)
        })
      return [
        await fetched({}),
        await fetched({ credentials: 'include' }),
        await fetched({ mode: 'no-cors' }),
        await fetched({ method: 'POST', body: 'x', mode: 'no-cors' }),
        await loaded('script'),
        await loaded('img'),
        await loaded('link'),
      ]
    }, inspection.url)
    expect(new Set(read)).toEqual(new Set(['refused']))
    await page.close()
  })

  test.each(places)('leaves nothing to a page of %s that opened it', async (_, place) => {
    const page = await open(place())
    const [opened] = await Promise.all([
      page.waitForEvent('popup'),
      page.evaluate((url) => {
        Object.assign(globalThis, { opened: globalThis.open(url) })
      }, inspection.url),
    ])
    await opened.locator('#panel h2').first().waitFor()
    const closed = () => (globalThis as unknown as { opened: Window }).opened.closed
    expect(await page.evaluate(closed)).toBe(true) // the two have been separated
    await opened.close()
    await page.close()
  })

  test('runs no script but its own', async () => {
    const page = await open(inspection.url)
    await page.locator('#panel h2').first().waitFor()
    const ran = await page.evaluate(async () => {
      const script = document.createElement('script')
      script.textContent = 'document.title = "foreign"'
      document.body.append(script)
      const image = document.createElement('div')
      image.innerHTML = '<img src="data:," onerror="document.title = \'foreign\'">'
      document.body.append(image)
      await new Promise((resolve) => setTimeout(resolve, 100))
      return document.title
    })
    expect(ran).toMatch(/inspected by Graft$/)
    await page.close()
  })
})
