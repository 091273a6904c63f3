import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.safetensors': 'application/octet-stream',
}

/** A folder on localhost, as the plainest file server gives it: no headers but the type. */
export async function serveFolder(
  folder: string,
): Promise<{ readonly url: string; readonly requests: string[]; close(): void }> {
  const requests: string[] = []
  const server = createServer(async (request, response) => {
    const path = normalize(
      decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname),
    )
    requests.push(path)
    try {
      const file = join(folder, path === '/' ? 'index.html' : path)
      const bytes = await readFile(file)
      response
        .writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' })
        .end(bytes)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('the server has no port')
  return { url: `http://localhost:${address.port}/`, requests, close: () => server.close() }
}
