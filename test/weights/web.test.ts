import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { loadWeights } from '../../src/weights/browser/load.ts'

/** As the server of a single page: it answers every address with the page. */
const server = createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<!doctype html>')
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
afterAll(() => server.close())

test('a page in the place of weights is called that, with what a bundler needs', async () => {
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/weights/mine.safetensors`
  await expect(loadWeights(address)).rejects.toThrow(
    /the server has no such file at http.*mine\.safetensors, and sent a web page in its place; put .*public\/ in Vite.*\?url' in Vite, new URL\(.*import\.meta\.url\) in webpack$/,
  )
})
