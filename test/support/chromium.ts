import { existsSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type Browser, chromium as launcher, type Page } from 'playwright-core'

const usual = [
  process.env.GRAFT_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/**
 * A Chromium that is installed here, or null; GRAFT_CHROMIUM names another. Nothing is downloaded
 * for a test.
 */
export const chromium: string | null =
  usual.find((path): path is string => path !== undefined && existsSync(path)) ?? null

/**
 * Starts it without a window, with WebGPU on whatever there is.
 * @param flags more arguments for it
 */
export function openChromium(...flags: string[]): Promise<Browser> {
  if (!chromium) throw new Error('there is no Chromium')
  const args = [
    '--no-sandbox',
    '--enable-unsafe-webgpu',
    '--ignore-gpu-blocklist',
    '--enable-features=Vulkan',
    ...flags,
  ]
  return launcher.launch({ executablePath: chromium, args })
}

/** What a page said that it should not have: errors on the console, and exceptions. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  return complaints
}

/** Serves one page on localhost, where WebGPU is allowed. */
export async function servePage(
  html: string,
): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    const found = request.url === '/'
    response.writeHead(found ? 200 : 204, { 'content-type': 'text/html; charset=utf-8' })
    response.end(found ? html : '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('the server has no port')
  return { url: `http://localhost:${address.port}/`, server }
}
