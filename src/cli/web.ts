import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { type Answer, serveLocally } from '../inspect/node/localServer.ts'
import { untilStopped } from './interrupt.ts'
import { number } from './options.ts'
import { Output } from './output.ts'

export function addWeb(program: Command): void {
  program
    .command('web')
    .description('Open the page on which a browser trains: drop a folder of pictures, nothing leaves the machine.')
    .option('--port <n>', 'where to serve it (default: one that is free)', number({ integer: true, min: 0, max: 65_535 }), 0)
    .option('--json', 'one JSON object a line')
    .addHelpText(
      'after',
      `
Examples:
  graft web
  graft web --port 8080`,
    )
    .action(run)
}

async function run({ port, json = false }: { readonly port: number; readonly json?: boolean }): Promise<void> {
  const output = new Output(json)
  const { url, close } = import.meta.url.endsWith('.ts') ? await serveSources(port) : await serveLocally(await builtPage(), port)
  output.event({ type: 'open', url })
  output.labelled('open', `${url} in a browser with WebGPU; until Ctrl-C`)
  await untilStopped()
  close()
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

/** The page that the package brings, and its weights, which lie at the package's root already. Other files are out of reach. */
async function builtPage(): Promise<(path: string) => Promise<Answer | null>> {
  const files = new Map<string, URL>()
  for (const [folder, prefix] of [
    [new URL('../web/', import.meta.url), '/'],
    [new URL('../../weights/', import.meta.url), '/weights/'],
  ] as const)
    for (const name of await readdir(folder, { recursive: true })) {
      const path = name.replaceAll('\\', '/')
      if (extname(path)) files.set(prefix + path, new URL(path, folder))
    }
  return async (path) => {
    const file = files.get(path === '/' ? '/index.html' : path)
    return file ? { type: types[extname(file.pathname)] ?? 'application/octet-stream', body: await readFile(file) } : null
  }
}

/** In a clone nothing is built: Vite serves the sources, and follows their changes. */
async function serveSources(port: number): Promise<{ readonly url: string; close(): void }> {
  const { createServer } = await import('vite')
  const configFile = fileURLToPath(new URL('../web/vite.config.ts', import.meta.url))
  const server = await createServer({ configFile, server: { ...(port ? { port, strictPort: true } : {}) }, logLevel: 'warn' })
  await server.listen()
  return { url: server.resolvedUrls?.local[0] ?? `http://localhost:${port}/`, close: () => void server.close() }
}
